import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

const root = import.meta.dirname;
const ui = join(root, 'node_modules/@grafana/ui/dist');

/**
 * Icons of @grafana/ui are fetched one by one while the page runs: dozens of
 * requests before the first panel. As a module they are one.
 */
function icons(): Plugin {
  const id = 'virtual:icons';
  return {
    name: 'icons',
    resolveId: (source) => (source === id ? `\0${id}` : undefined),
    load(module) {
      if (module !== `\0${id}`) {
        return;
      }
      const dir = join(ui, 'public/img/icons');
      const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((n) => /^(unicons|mono)\/.*\.svg$/.test(n)).sort();
      return `export default ${JSON.stringify(Object.fromEntries(names.map((n) => [n, readFileSync(join(dir, n), 'utf8')])))};`;
    },
  };
}

/** noEditors leaves the editors of code out, which @grafana/ui would load on demand: the console edits nothing. */
function noEditors(): Plugin {
  return {
    name: 'no-editors',
    enforce: 'pre',
    load(module) {
      if (/@grafana\/ui\/dist\/esm\/components\/(CodeMirror\/CodeEditor|Monaco\/ReactMonacoEditor)\.mjs$/.test(module)) {
        return 'const none = () => null; export { none as default, none as ReactMonacoEditor, none as CodeMirrorEditor };';
      }
    },
  };
}

/** compress writes every text file of the page a second time, compressed, for the server to choose. */
function compress(): Plugin {
  let out = '';
  return {
    name: 'compress',
    apply: 'build',
    configResolved: (config) => void (out = config.build.outDir),
    writeBundle() {
      for (const name of readdirSync(out, { recursive: true, encoding: 'utf8' })) {
        if (/\.(js|css|html|svg|json)$/.test(name)) {
          writeFileSync(join(out, `${name}.gz`), gzipSync(readFileSync(join(out, name)), { level: 9 }));
        }
      }
    },
  };
}

export default defineConfig({
  root,
  base: '/',
  plugins: [icons(), noEditors(), compress()],
  resolve: {
    alias: {
      // The button of Grafana's assistant, which the lab does not have.
      '@grafana/assistant': join(root, 'src/stub/assistant.ts'),
    },
  },
  build: {
    outDir: process.env.CONSOLE_OUT ?? join(root, 'dist'),
    emptyOutDir: true,
    target: 'es2022',
    chunkSizeWarningLimit: 4096,
    modulePreload: { polyfill: false },
  },
  define: { 'process.env.NODE_ENV': JSON.stringify('production') },
  css: { modules: { generateScopedName: (name, file) => `${name}-${createHash('sha256').update(file).digest('hex').slice(0, 6)}` } },
});
