// A package of the time before modules, imported by its default export. Bundlers
// and Node read that in two ways; this is right in both.
// @ts-ignore: whether it has types depends on its version
import * as found from '../../node_modules/react-custom-scrollbars-2/lib/index.js';

type Module = Record<string, unknown> & { default?: Module };
const all = found as Module;

export const Scrollbars = all.Scrollbars ?? all.default?.Scrollbars ?? all.default?.default ?? all.default;
export default Scrollbars;
