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

/** resolve takes Grafana's packages in their form for Node: their modules are written for bundlers. */
export function resolve(specifier, context, next) {
  return next(specifier, specifier.startsWith('@grafana/') ? { ...context, conditions: ['node', 'require'] } : context);
}
