import { FieldType, type DataFrame, type EventBus, type InterpolateFunction } from '@grafana/data';
import { lazy, type ComponentType } from 'react';
import { totals } from '../api/pyroscope.ts';
import type { Panel } from '../model/dashboard.ts';
import type { Data } from '../model/query.ts';
import type { PanelType } from '../model/supported.ts';

/** PanelProps are what every kind of panel is drawn from. Frames are data's after transformations and field options. */
export interface PanelProps<P extends PanelType = PanelType> {
  panel: Panel<P>;
  data: Data;
  frames: DataFrame[];
  width: number;
  height: number;
  replace: InterpolateFunction;
  eventBus: EventBus;
}

/** Kind is one kind of panel. */
export interface Kind {
  draw: ComponentType<PanelProps<never>>;
  /** load fetches the code that draws; a panel calls it while it waits for its data. */
  load?: () => Promise<unknown>;
  /** empty reports whether there is nothing to draw. */
  empty: (data: Data & { shown: DataFrame[] }) => boolean;
  /** Whether the panel itself draws what it has nothing of, as a stat does with its text for no value. */
  drawsNothing?: boolean;
  padding?: 'none' | 'md';
  /** What Grafana's panel of the kind assumes where a dashboard says nothing: its own field options, and how series get their colours. */
  custom?: Record<string, unknown>;
  color?: string;
}

const noRows = (d: { shown: DataFrame[] }) => d.shown.every((f) => f.length === 0);
// A line through nothing but NaN is none: quantiles of what did not happen.
const noPoints = (d: { shown: DataFrame[] }) => !d.shown.some((f) => f.fields.some((field) => field.type === FieldType.number && field.values.some(Number.isFinite)));
// A chart of one number against another wants both.
const noPairs = (d: { shown: DataFrame[] }) => !d.shown.some((f) => f.length > 0 && f.fields.filter((field) => field.type === FieldType.number).length > 1);
// A diff has something to draw when either of its sides has.
const noSamples = ({ left, right }: { left: number; right: number }) => left + right === 0;
const lazily = <P extends PanelType>(load: () => Promise<{ default: ComponentType<PanelProps<P>> }>): Pick<Kind, 'draw' | 'load'> => ({
  draw: lazy(load) as unknown as Kind['draw'], load,
});

const lines = {
  drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0, gradientMode: 'none', barAlignment: 0, showPoints: 'auto',
  pointSize: 5, spanNulls: false, axisPlacement: 'auto', stacking: { mode: 'none', group: 'A' }, thresholdsStyle: { mode: 'off' },
  scaleDistribution: { type: 'linear' },
};

/** panelKinds are the kinds of panels that the console draws: one for each that supported.json declares. */
export const panelKinds: Record<PanelType, Kind> = {
  row: { draw: () => null, empty: () => true },
  timeseries: { ...lazily(() => import('./TimeSeriesPanel.tsx')), empty: noPoints, custom: lines, color: 'palette-classic' },
  stat: { ...lazily(() => import('./StatPanel.tsx')), empty: noRows, drawsNothing: true },
  gauge: { ...lazily(() => import('./GaugePanel.tsx')), empty: noRows, drawsNothing: true },
  bargauge: { ...lazily(() => import('./BarGaugePanel.tsx')), empty: noRows, drawsNothing: true },
  table: { ...lazily(() => import('./TablePanel.tsx')), empty: noRows, padding: 'none', custom: { align: 'auto', cellOptions: { type: 'auto' } } },
  heatmap: { ...lazily(() => import('./HeatmapPanel.tsx')), empty: noRows },
  xychart: { ...lazily(() => import('./XYChartPanel.tsx')), empty: noPairs, custom: { show: 'points', pointSize: { fixed: 5 }, fillOpacity: 50 }, color: 'palette-classic' },
  'state-timeline': { ...lazily(() => import('./StateTimelinePanel.tsx')), empty: noRows, custom: { fillOpacity: 70, lineWidth: 0 }, color: 'continuous-GrYlRd' },
  text: { ...lazily(() => import('./TextPanel.tsx')), empty: () => false },
  logs: { ...lazily(() => import('./LogsPanel.tsx')), empty: (d) => d.lines.length === 0 },
  traces: { ...lazily(() => import('./TracesPanel.tsx')), empty: (d) => d.traces.length === 0 },
  flamegraph: { ...lazily(() => import('./FlameGraphPanel.tsx')), empty: (d) => !d.flame || noSamples(totals(d.flame)) },
};
