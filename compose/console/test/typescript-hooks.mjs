import { readFile } from 'node:fs/promises';
import ts from 'typescript';

const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, jsx: ts.JsxEmit.ReactJSX, sourceMap: false };

/** load compiles TypeScript without checking it, which `npm run check` does, and reads JSON as a module. */
export async function load(url, context, next) {
  if (/\.tsx?$/.test(url)) {
    const source = await readFile(new URL(url), 'utf8');
    return { format: 'module', shortCircuit: true, source: ts.transpileModule(source, { compilerOptions: options, fileName: url }).outputText };
  }
  if (url.endsWith('.json') && context.importAttributes?.type !== 'json') {
    return { format: 'module', shortCircuit: true, source: `export default ${await readFile(new URL(url), 'utf8')};` };
  }
  return next(url, context);
}

/** resolve takes the parts of Grafana's package that can do without a browser. */
export function resolve(specifier, context, next) {
  return specifier === '@grafana/data' ? { url: new URL('./grafana-data.mjs', import.meta.url).href, shortCircuit: true } : next(specifier, context);
}
