// Lets Node, which does not read TypeScript itself, run the tests:
// node --import ./test/typescript.mjs --test …
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
