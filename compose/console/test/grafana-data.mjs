// The parts of @grafana/data that the tested code uses, from its own files: as a
// whole the package needs a browser while it is loaded.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const part = (file) => require(`../node_modules/@grafana/data/dist/cjs/${file}.cjs`);

export const { FieldType } = part('types/dataFrame');
export const { DataFrameType } = part('types/dataFrameTypes');
export const { renderLegendFormat } = part('utils/legend');
export const { dateTime } = part('datetime/moment_wrapper');
export const { stringToJsRegex } = part('text/string');
export const rangeUtil = part('datetime/rangeutil');
