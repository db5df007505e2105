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
      const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((n) => /^(unicons|mono|custom)\/.*\.svg$/.test(n)).sort();
      return `export default ${JSON.stringify(Object.fromEntries(names.map((n) => [n, readFileSync(join(dir, n), 'utf8')])))};`;
    },
  };
}

/** fonts puts the fonts that Grafana's styles ask for where they ask for them: the packages of @grafana have none. */
function fonts(): Plugin {
  const inter = (weight: number, style: string) => `inter/files/inter-latin-${weight}-${style}.woff2`;
  const files = {
    'inter/Inter-Regular.woff2': inter(400, 'normal'), 'inter/Inter-Medium.woff2': inter(500, 'normal'),
    'inter/Inter-Italic.woff2': inter(400, 'italic'), 'inter/Inter-MediumItalic.woff2': inter(500, 'italic'),
    // One name for both weights, as Grafana's variable font has.
    'roboto/L0xTDF4xlVMF-BfR8bXMIhJHg45mwgGEFl0_3vrtSM1J-gEPT5Ese6hmHSh0mQ.woff2': 'roboto-mono/files/roboto-mono-latin-400-normal.woff2',
  };
  return {
    name: 'fonts',
    generateBundle() {
      for (const [name, from] of Object.entries(files)) {
        this.emitFile({ type: 'asset', fileName: `fonts/${name}`, source: readFileSync(join(root, 'node_modules/@fontsource', from)) });
      }
    },
  };
}

/**
 * noEval keeps a library that checks the shape of themes from trying whether it
 * may make code out of text: the page's content security policy does not allow
 * it, and the browser would report each try.
 */
function noEval(): Plugin {
  return {
    name: 'no-eval',
    transform(code, module) {
      if (/zod\/v4\/core\/core\.js$/.test(module)) {
        if (!code.includes('globalThis.__zod_globalConfig')) {
          this.error(`${module} no longer reads its settings from __zod_globalConfig`);
        }
        return `globalThis.__zod_globalConfig = { jitless: true };\n${code}`;
      }
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
  plugins: [icons(), fonts(), noEval(), noEditors(), compress()],
  resolve: {
    alias: {
      // The button of Grafana's assistant, which the lab does not have.
      '@grafana/assistant': join(root, 'src/stub/assistant.ts'),
      'react-custom-scrollbars-2': join(root, 'src/stub/scrollbars.ts'),
      'react-virtualized-auto-sizer': join(root, 'node_modules/react-virtualized-auto-sizer/dist/react-virtualized-auto-sizer.esm.js'),
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
