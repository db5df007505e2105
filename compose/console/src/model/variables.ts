import { stringToJsRegex } from '@grafana/data';
import { labelValues, querySeries } from '../api/prometheus.ts';
import type { Scope } from '../api/stores.ts';
import type { Dashboard, Variable } from './dashboard.ts';
import { All, interpolate, type Value, type Values } from './interpolate.ts';

/** sourceOf are the uids that the lab's stores have in Grafana, by type of data source. */
export const sourceOf: Record<string, string> = {
  prometheus: 'prometheus',
  loki: 'loki',
  jaeger: 'jaeger',
  'grafana-pyroscope-datasource': 'pyroscope',
};

/** resolved reports the variables of a dashboard, and why one of them has no values. */
export interface Resolved {
  values: Values;
  problems: Record<string, string>;
}

/**
 * resolve sets every variable of a dashboard, in their order, as later ones may
 * depend on earlier ones: to what the address asks for, else to the dashboard's
 * own choice, else to the first value that there is.
 */
export async function resolve(dashboard: Dashboard, asked: URLSearchParams, scope: Scope): Promise<Resolved> {
  const values: Values = {};
  const problems: Record<string, string> = {};
  for (const variable of dashboard.templating.list) {
    let options: string[] = [];
    try {
      options = await optionsOf(variable, values, scope);
    } catch (error) {
      if (scope.signal?.aborted) {
        throw error;
      }
      problems[variable.name] = error instanceof Error ? error.message : String(error);
    }
    values[variable.name] = choose(variable, options, asked.getAll(`var-${variable.name}`));
  }
  return { values, problems };
}

/** choose picks the values of one variable. */
export function choose(variable: Variable, options: string[], asked: string[]): Value {
  const several = Boolean(variable.multi || variable.includeAll);
  const value = { allValue: variable.allValue || undefined, options, several };
  const own = [variable.current?.value ?? []].flat().filter((v) => v !== '');
  for (const wish of [asked, own]) {
    const known = wish.filter((v) => v === All || v === 'All' || options.length === 0 || options.includes(v) || wish === asked);
    if (known.length > 0) {
      const all = known.includes(All) || (known.includes('All') && !options.includes('All'));
      return { ...value, values: all ? [All] : variable.multi ? known : known.slice(0, 1) };
    }
  }
  if (variable.includeAll) {
    return { ...value, values: [All] };
  }
  return { ...value, values: options.slice(0, 1) };
}

async function optionsOf(variable: Variable, values: Values, scope: Scope): Promise<string[]> {
  switch (variable.type) {
    case 'datasource':
      return [sourceOf[variable.query ?? ''] ?? ''];
    case 'constant':
    case 'textbox':
      return [variable.query ?? ''];
    case 'custom':
    case 'interval':
      return (variable.query ?? '').split(',').map((v) => v.trim()).filter(Boolean);
    case 'query':
      return sorted(matching(await ask(interpolate(variable.query ?? variable.definition ?? '', values, {}, 'promql'), scope), variable.regex), variable.sort ?? 0);
    default:
      throw new Error(`variables of the type ${variable.type} are not supported`);
  }
}

/** ask carries out label_values(...) and query_result(...), the functions that the dashboards use. */
async function ask(query: string, scope: Scope): Promise<string[]> {
  const labels = /^\s*label_values\(\s*(?:(.+?)\s*,\s*)?([a-zA-Z_]\w*)\s*\)\s*$/s.exec(query);
  if (labels) {
    return labelValues(labels[2], labels[1], scope);
  }
  const result = /^\s*query_result\((.+)\)\s*$/s.exec(query);
  if (result) {
    return querySeries(result[1], scope);
  }
  throw new Error(`the variable asks ${query}, want label_values(...) or query_result(...)`);
}

/** matching keeps what the variable's regular expression matches, and its group where it has one. */
export function matching(values: string[], regex?: string): string[] {
  if (!regex) {
    return values;
  }
  const pattern = stringToJsRegex(regex);
  const found = values.flatMap((v) => {
    const match = pattern.exec(v);
    pattern.lastIndex = 0;
    return match ? [match.groups?.value ?? match[1] ?? v] : [];
  });
  return [...new Set(found)];
}

/** sorted orders values as Grafana's numbers for it say. */
export function sorted(values: string[], sort: number): string[] {
  const out = [...values];
  const number = (v: string) => Number(/\d+(\.\d+)?/.exec(v)?.[0] ?? Infinity);
  const compare: Record<number, (a: string, b: string) => number> = {
    1: (a, b) => (a < b ? -1 : Number(a > b)),
    3: (a, b) => number(a) - number(b),
    5: (a, b) => a.toLowerCase().localeCompare(b.toLowerCase()),
    7: (a, b) => a.localeCompare(b, undefined, { numeric: true }),
  };
  if (sort === 0) {
    return out;
  }
  out.sort(compare[sort % 2 === 1 ? sort : sort - 1]);
  return sort % 2 === 1 ? out : out.reverse();
}
