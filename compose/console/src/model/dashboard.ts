import type { DataTransformerConfig, FieldConfigSource } from '@grafana/data';
import type { Link, Options, PanelType } from './supported.ts';

/** SourceRef names a data source, mostly by a variable of the dashboard. */
export interface SourceRef {
  type?: string;
  uid?: string;
}

/** Query is one target of a panel, as it stands in the dashboard's JSON. */
export interface Query {
  refId: string;
  datasource?: SourceRef;
  hide?: boolean;
  [option: string]: unknown;
}

/** Panel is one panel of a dashboard, as it stands in its JSON. */
export interface Panel<P extends PanelType = PanelType> {
  id: number;
  type: string;
  title?: string;
  description?: string;
  transparent?: boolean;
  gridPos: { x: number; y: number; w: number; h: number };
  datasource?: SourceRef;
  targets?: Query[];
  options: Options<P>;
  fieldConfig: FieldConfigSource;
  transformations?: DataTransformerConfig[];
  interval?: string;
  maxDataPoints?: number;
  collapsed?: boolean;
  panels?: Panel[];
  links?: Link[];
  timeFrom?: string;
  timeShift?: string;
}

/** Variable is one variable of a dashboard, as it stands in its JSON. */
export interface Variable {
  type: string;
  name: string;
  label?: string;
  description?: string;
  query?: string;
  definition?: string;
  datasource?: SourceRef;
  hide?: number;
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string;
  sort?: number;
  regex?: string;
  current?: { text?: string | string[]; value?: string | string[] };
}

export interface Dashboard {
  uid: string;
  title: string;
  description?: string;
  tags?: string[];
  timezone?: string;
  time: { from: string; to: string };
  refresh?: string;
  panels: Panel[];
  templating: { list: Variable[] };
  links: Link[];
}

/** normalise fills in what Grafana lets a dashboard leave out. */
export function normalise(raw: Partial<Dashboard> & { uid: string }): Dashboard {
  return {
    ...raw,
    title: raw.title ?? raw.uid,
    time: { from: raw.time?.from || 'now-1h', to: raw.time?.to || 'now' },
    panels: (raw.panels ?? []).map(normalisePanel),
    templating: { list: raw.templating?.list ?? [] },
    links: raw.links ?? [],
  };
}

function normalisePanel(panel: Panel): Panel {
  return {
    ...panel,
    options: panel.options ?? {},
    fieldConfig: { defaults: panel.fieldConfig?.defaults ?? {}, overrides: panel.fieldConfig?.overrides ?? [] },
    panels: panel.panels?.map(normalisePanel),
  };
}

/** Row is a titled part of a dashboard; the first may have no title. */
export interface Row {
  id: number;
  title: string;
  collapsed: boolean;
  panels: Panel[];
}

/** rows cuts a dashboard's panels at its row panels. */
export function rows(dashboard: Dashboard): Row[] {
  const out: Row[] = [];
  for (const panel of dashboard.panels) {
    if (panel.type === 'row') {
      out.push({ id: panel.id, title: panel.title ?? '', collapsed: panel.collapsed ?? false, panels: panel.panels ?? [] });
      continue;
    }
    if (out.length === 0) {
      out.push({ id: 0, title: '', collapsed: false, panels: [] });
    }
    out[out.length - 1].panels.push(panel);
  }
  return out;
}
