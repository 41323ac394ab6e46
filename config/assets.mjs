// Compiles static/css and static/js into static/build: `node config/assets.mjs`, from any folder.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { compile } from "sass";
import { toLogical } from "./logical.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = `${root}static/build/`;
const entries = ["patient", "staff", "open", "open-worker", "pack-worker", "keys", "keys-strength"]
  .map((name) => `${root}static/js/${name}.js`)
  .filter(existsSync);

mkdirSync(out, { recursive: true });

const { css } = compile(`${root}static/css/capture.scss`, {
  style: "compressed",
  loadPaths: [`${root}node_modules`],
  quietDeps: true,
});
writeFileSync(`${out}capture.css`, toLogical(css));

await build({
  absWorkingDir: root,
  entryPoints: entries,
  outdir: out,
  bundle: true,
  format: "esm",
  target: ["safari15", "chrome90"],
  minify: true,
  legalComments: "none",
  logLevel: "warning",
});

for (const name of readdirSync(out).filter((name) => /\.(css|js)$/.test(name))) {
  const bytes = readFileSync(out + name);
  writeFileSync(`${out}${name}.gz`, gzipSync(bytes, { level: 9 }));
  writeFileSync(`${out}${name}.br`, brotliCompressSync(bytes));
}
