// @ts-check
// What waits on the phone outlives a killed tab: kept in IndexedDB, encrypted under a key that only the page knows. The server
// gives the key to the confirmed session alone and forgets it with it; on the phone it is never stored.

/** @typedef {{ id: string, view: string, anyway: boolean, at: number, blob: Blob }} Waiting - `at`: when it was taken over, ms */
/** @typedef {{ id: string, request: string, iv: Uint8Array<ArrayBuffer>, sealed: ArrayBuffer }} Entry */

const DATABASE = "capture";
const STORE = "waiting";
const HEAD = 4; // bytes that say how long the JSON before the photo is

export class Keep {
  /**
   * @param {string} request - the request's id; it is bound to each entry
   * @param {CryptoKey} key
   */
  constructor(request, key) {
    this.request = request;
    this.key = key;
  }

  /**
   * @param {string} request
   * @param {string | undefined} secret - 32 bytes as base64url
   * @returns {Promise<Keep | undefined>} undefined where this browser or this page cannot keep anything
   */
  static async open(request, secret) {
    if (!secret || !globalThis.crypto?.subtle || !globalThis.indexedDB) {
      return undefined;
    }
    try {
      const text = atob(secret.replace(/-/g, "+").replace(/_/g, "/"));
      const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
      const key = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
      return new Keep(request, key);
    } catch {
      return undefined;
    }
  }

  /**
   * @param {Waiting} photo
   * @returns {Promise<boolean>} whether it is safe; a full or forbidden store is no reason to lose the photo in the page
   */
  async put({ blob, ...about }) {
    try {
      const head = new TextEncoder().encode(JSON.stringify({ ...about, type: blob.type }));
      const plain = new Uint8Array(HEAD + head.length + blob.size);
      new DataView(plain.buffer).setUint32(0, head.length);
      plain.set(head, HEAD);
      plain.set(new Uint8Array(await blob.arrayBuffer()), HEAD + head.length);
      const iv = crypto.getRandomValues(new Uint8Array(12));
      const sealed = await crypto.subtle.encrypt(this.algorithm(about.id, iv), this.key, plain);
      await run("readwrite", (store) => store.put({ id: about.id, request: this.request, iv, sealed }));
      return true;
    } catch {
      return false;
    }
  }

  /** @param {string} id */
  async delete(id) {
    await run("readwrite", (store) => store.delete(id)).catch(() => {});
  }

  /**
   * Everything of this request, the oldest first. What belongs to another request or does not open is deleted.
   * @returns {Promise<Waiting[]>}
   */
  async all() {
    /** @type {Waiting[]} */
    const found = [];
    try {
      for (const id of await run("readonly", (store) => store.getAllKeys())) {
        /** @type {Entry} */
        const entry = await run("readonly", (store) => store.get(id)); // one at a time: each may be several megabytes
        const photo = await this.unseal(entry).catch(() => undefined);
        if (photo) {
          found.push(photo);
        } else {
          await this.delete(entry.id);
        }
      }
    } catch {
      // nothing can be read here
    }
    return found.sort((a, b) => a.at - b.at);
  }

  /**
   * @param {Entry} entry
   * @returns {Promise<Waiting>}
   */
  async unseal({ id, iv, sealed }) {
    const plain = await crypto.subtle.decrypt(this.algorithm(id, iv), this.key, sealed);
    const start = HEAD + new DataView(plain).getUint32(0);
    const { type, ...about } = JSON.parse(
      new TextDecoder().decode(new Uint8Array(plain, HEAD, start - HEAD)),
    );
    return { ...about, blob: new Blob([new Uint8Array(plain, start)], { type }) };
  }

  /**
   * @param {string} id
   * @param {Uint8Array<ArrayBuffer>} iv
   */
  algorithm(id, iv) {
    return { name: "AES-GCM", iv, additionalData: new TextEncoder().encode(`${this.request}/${id}`) };
  }
}

/** Delete all that waits, of whatever request. */
export async function forgetAll() {
  if (globalThis.indexedDB) {
    await run("readwrite", (store) => store.clear()).catch(() => {});
  }
}

/**
 * One transaction. The database is closed after it: an open one would keep the page out of the back-forward cache.
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest} ask
 * @returns {Promise<any>} when it is durable
 */
function run(mode, ask) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "id" });
    opening.onerror = opening.onblocked = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      try {
        const transaction = database.transaction(STORE, mode);
        const asked = ask(transaction.objectStore(STORE));
        transaction.oncomplete = () => resolve(asked.result);
        transaction.onabort = transaction.onerror = () => reject(transaction.error);
      } catch (error) {
        reject(error);
      }
      database.close(); // once the transaction has ended
    };
  });
}
