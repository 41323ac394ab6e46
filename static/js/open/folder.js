// @ts-check

/**
 * Write a file into a folder that the person chose, and never over another: the same file is left, a different one of that name
 * makes this one `name-2.jpg`.
 *
 * @param {any} folder a FileSystemDirectoryHandle
 * @param {string} name
 * @param {Blob} blob
 * @returns {Promise<string>} the name it has there
 */
export async function writeNew(folder, name, blob) {
  for (let number = 1; ; number += 1) {
    const free = number === 1 ? name : name.replace(/(?=\.\w+$)/, `-${number}`);
    const there = await fileIn(folder, free);
    if (there && (await isSame(there, blob))) return free;
    if (there) continue;
    const handle = await folder.getFileHandle(free, { create: true });
    const target = await handle.createWritable();
    await target.write(blob);
    await target.close();
    return free;
  }
}

/**
 * @param {any} folder
 * @param {string} name
 * @returns {Promise<File | null>}
 */
async function fileIn(folder, name) {
  try {
    return await (await folder.getFileHandle(name)).getFile();
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return null;
    throw error;
  }
}

/**
 * @param {Blob} one
 * @param {Blob} other
 */
async function isSame(one, other) {
  if (one.size !== other.size) return false;
  const [left, right] = await Promise.all([one.arrayBuffer(), other.arrayBuffer()]);
  const bytes = new Uint8Array(right);
  return new Uint8Array(left).every((byte, index) => byte === bytes[index]);
}
