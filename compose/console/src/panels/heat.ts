import type { DataFrame, GrafanaTheme2 } from '@grafana/data';
import * as schemes from 'd3-scale-chromatic';
import type { Options } from '../model/supported.ts';

/** Cell is one rectangle of a heatmap: so many, of values between low and high, in the step that ends at time. */
export interface Cell {
  time: number;
  low: number;
  high: number;
  count: number;
}

/** Heat is what a heatmap draws. */
export interface Heat {
  cells: Cell[];
  step: number;
  low: number; // of the axis
  high: number;
  most: number; // largest count
}

/** heatOf reads the cells out of frames and leaves out those that the filter says. */
export function heatOf(frames: DataFrame[], filter: { le?: number; ge?: number } | undefined): Heat | undefined {
  const cells: Cell[] = [];
  let step = 0;
  for (const frame of frames) {
    const [time, low, high, count] = ['xMax', 'yMin', 'yMax', 'count'].map((n) => frame.fields.find((f) => f.name === n));
    if (!time || !low || !high || !count) {
      continue;
    }
    step = Math.max(step, (time.config.interval as number) ?? 0);
    for (let i = 0; i < frame.length; i++) {
      const n = count.values[i] as number;
      if ((filter?.le !== undefined && n <= filter.le) || (filter?.ge !== undefined && n >= filter.ge) || !(n > 0)) {
        continue;
      }
      cells.push({ time: time.values[i], low: low.values[i], high: high.values[i], count: n });
    }
  }
  if (cells.length === 0) {
    return undefined;
  }
  // Zero has no place on a logarithmic axis; the zero bucket is drawn one step below the smallest bound.
  const bounds = cells.map((c) => c.low).filter((v) => v > 0);
  const smallest = bounds.length > 0 ? Math.min(...bounds) : Math.min(...cells.map((c) => c.high)) / 2;
  for (const c of cells) {
    if (c.low <= 0) {
      c.low = Math.min(smallest, c.high / 2);
    }
  }
  return { cells, step: step || 15000, low: Math.min(...cells.map((c) => c.low)), high: Math.max(...cells.map((c) => c.high)), most: Math.max(...cells.map((c) => c.count)) };
}

/** Schemes whose first colour is light, which Grafana turns round where the background is dark. */
const lightFirst = ['Blues', 'Greens', 'Greys', 'Oranges', 'Purples', 'Reds', 'BuGn', 'BuPu', 'GnBu', 'OrRd', 'PuBuGn', 'PuBu', 'PuRd', 'RdPu', 'YlGnBu', 'YlGn', 'YlOrBr', 'YlOrRd'];

/** paletteOf returns the colours of a heatmap, weakest first. */
export function paletteOf(color: Options<'heatmap'>['color'], theme: GrafanaTheme2): string[] {
  const name = color?.scheme ?? 'Oranges';
  const scheme = (schemes as unknown as Record<string, (t: number) => string>)[`interpolate${name}`] ?? schemes.interpolateOranges;
  const count = Math.max(color?.steps ?? 64, 2);
  const colors = Array.from({ length: count }, (_, i) => scheme(i / (count - 1)));
  const turned = (lightFirst.includes(name) && theme.isDark) !== Boolean(color?.reverse);
  return turned ? colors.reverse() : colors;
}

/** shade is the place of a count in a palette of so many colours. */
export function shade(count: number, most: number, colors: number, color: Options<'heatmap'>['color']): number {
  const low = color?.min ?? 0;
  const high = color?.max ?? most;
  const share = high > low ? Math.min(Math.max((count - low) / (high - low), 0), 1) : 1;
  const bent = color?.scale === 'linear' ? share : share ** (color?.exponent ?? 0.5);
  return Math.min(Math.floor(bent * colors), colors - 1);
}
