import type { ReduceDataOptions } from '@grafana/data';
import type { Options } from '../model/supported.ts';

/** reduced says how a series becomes one number: the last one, where the dashboard does not say. */
export function reduced(options: Options<'stat'>['reduceOptions']): ReduceDataOptions {
  const calcs: string[] = options?.calcs ?? [];
  return { values: options?.values ?? false, calcs: calcs.length > 0 ? calcs : ['lastNotNull'], fields: options?.fields ?? '', limit: options?.limit };
}
