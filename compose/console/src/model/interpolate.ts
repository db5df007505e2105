import type { ScopedVars } from '@grafana/data';

/** All is the value that stands for every value of a variable. */
export const All = '$__all';

/** Value is what a variable of a dashboard is set to. */
export interface Value {
  /** Chosen values; [All] for every one. */
  values: string[];
  /** What All means: a text of its own (allValue), or the values themselves. */
  allValue?: string;
  options: string[];
  /** Whether several may be chosen, which makes query languages escape them as regular expressions. */
  several: boolean;
}

export type Values = Record<string, Value>;

/** Language is what a text is written in, which says how values are put into it. */
export type Language = 'text' | 'promql' | 'logql' | 'url';

const reference = /\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)((?:\.[\w.]+|\["[^"]*"\])*)(?::([^}]+))?\}/g;

/**
 * interpolate puts values into a text as Grafana does: $name, ${name},
 * ${name:format} and [[name]]. Names that neither scoped nor values know stay
 * as they are.
 */
export function interpolate(text: string, values: Values, scoped: ScopedVars = {}, language: Language = 'text'): string {
  return text.replace(reference, (match, plain, old, oldFormat, braced, path, format) => {
    const name = plain ?? old ?? braced;
    const own = scoped[name];
    if (own !== undefined) {
      const value = path ? pick(own.value, path) : own.value;
      return value === undefined ? match : formatted([String(value)], format, name, language, false);
    }
    const context = fromContext(name, path ?? '', scoped);
    if (context !== undefined) {
      return formatted([context], format, name, language, false);
    }
    const value = values[name];
    if (value === undefined) {
      return match;
    }
    const chosen = expand(value);
    if (typeof chosen === 'string') {
      // allValue is written by the dashboard's author, in the query's language.
      return format === 'queryparam' ? query(name, [All]) : chosen;
    }
    if (format === 'queryparam') {
      return query(name, value.values);
    }
    return formatted(chosen, format ?? oldFormat, name, language, value.several);
  });
}

/** expand returns the chosen values, or allValue where it stands for them. */
export function expand(value: Value): string[] | string {
  if (!value.values.includes(All)) {
    return value.values;
  }
  return value.allValue ? value.allValue : value.options;
}

function formatted(values: string[], format: string | undefined, name: string, language: Language, several: boolean): string {
  switch (format) {
    case 'raw':
    case 'text':
      return values.join(format === 'text' ? ' + ' : ',');
    case 'csv':
      return values.join(',');
    case 'pipe':
      return values.join('|');
    case 'regex':
      return alternatives(values.map(escapeRegex));
    case 'json':
      return JSON.stringify(values);
    case 'percentencode':
      return encodeURIComponent(values.join(','));
    case 'queryparam':
      return query(name, values);
    case 'singlequote':
      return values.map((v) => `'${v.replaceAll("'", "\\'")}'`).join(',');
    case 'doublequote':
      return values.map((v) => `"${v.replaceAll('"', '\\"')}"`).join(',');
  }
  switch (language) {
    case 'promql':
    case 'logql':
      return several ? alternatives(values.map(escapeSelector)) : escapeLabel(values.join(','));
    case 'url':
      return encodeURIComponent(values.join(','));
    default:
      return values.length === 1 ? values[0] : `{${values.join(',')}}`;
  }
}

/** alternatives is a regular expression that matches each of the parts. */
function alternatives(parts: string[]): string {
  return parts.length === 1 ? parts[0] : `(${parts.join('|')})`;
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** escapeSelector escapes a value for a regular expression within a quoted string of PromQL or LogQL. */
function escapeSelector(text: string): string {
  return text.replace(/\\/g, '\\\\\\\\').replace(/[$^*{}[\]+?.()|]/g, '\\\\$&').replace(/"/g, '\\"');
}

/** escapeLabel escapes a value for a quoted string of PromQL or LogQL. */
function escapeLabel(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"');
}

function query(name: string, values: string[]): string {
  return values.map((v) => `var-${name}=${encodeURIComponent(v)}`).join('&');
}

/** pick follows a path such as .raw or ["a.b"] into a value. */
function pick(value: unknown, path: string): unknown {
  let at = value;
  for (const [, dotted, quoted] of path.matchAll(/\.(\w+)|\["([^"]*)"\]/g)) {
    if (at === null || typeof at !== 'object') {
      return undefined;
    }
    at = (at as Record<string, unknown>)[dotted ?? quoted];
  }
  return at;
}

interface Cell {
  frame?: { name?: string; fields: Array<{ name: string; values: unknown[]; display?: (v: unknown) => { text: string; numeric: number }; state?: { displayName?: string | null } | null }> };
  field?: {
    name: string;
    labels?: Record<string, string>;
    values: unknown[];
    display?: (v: unknown) => { text: string; numeric: number };
    state?: { displayName?: string | null } | null;
  };
  rowIndex?: number;
  calculatedValue?: { text: string; numeric: number };
}

/** fromContext resolves the variables of a data link, which are about one cell or point. */
function fromContext(name: string, path: string, scoped: ScopedVars): string | undefined {
  const cell = scoped.__dataContext?.value as Cell | undefined;
  if (!cell?.field) {
    return undefined;
  }
  const field = cell.field;
  const row = cell.rowIndex ?? 0;
  switch (name) {
    case '__value': {
      const raw = field.values[row];
      const shown = cell.calculatedValue ?? field.display?.(raw);
      const parts: Record<string, unknown> = { '.raw': raw, '.text': shown?.text, '.numeric': shown?.numeric, '': shown?.text, '.time': cell.frame?.fields[0]?.values[row] };
      return parts[path] === undefined ? undefined : String(parts[path]);
    }
    case '__field':
    case '__series':
      if (path.startsWith('.labels')) {
        return String(pick(field.labels ?? {}, path.slice('.labels'.length)) ?? '');
      }
      return field.state?.displayName ?? field.name;
    case '__data': {
      const wanted = pick(Object.fromEntries((cell.frame?.fields ?? []).flatMap((f) => [[f.name, f], [f.state?.displayName ?? f.name, f]])), path.slice('.fields'.length).replace(/\.(text|numeric|time)$/, ''));
      const other = wanted as Cell['field'];
      return other ? String(other.values[row] ?? '') : undefined;
    }
  }
  return undefined;
}
