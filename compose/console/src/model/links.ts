import { interpolate, type Values } from './interpolate.ts';

/** linkURL puts the variables of a panel's link into it: also those for the time range and for all variables of the dashboard. */
export function linkURL(url: string, values: Values, range: { from: string; to: string }): string {
  const all = Object.entries(values).flatMap(([name, v]) => v.values.map((one) => `var-${name}=${encodeURIComponent(one)}`)).join('&');
  const scoped = { __url_time_range: { text: '', value: `from=${range.from}&to=${range.to}` }, __all_variables: { text: '', value: all } };
  return interpolate(url, values, scoped);
}
