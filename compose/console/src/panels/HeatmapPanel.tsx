import { css } from '@emotion/css';
import { dateTimeFormat, formattedValueToString, getValueFormat } from '@grafana/data';
import { useTheme2, VizTooltipContent, VizTooltipHeader, VizTooltipWrapper } from '@grafana/ui';
import { useCallback, useMemo } from 'react';
import type uPlot from 'uplot';
import { change } from '../app/place.ts';
import { CanvasChart } from './CanvasChart.tsx';
import { Exemplars } from './Exemplars.tsx';
import { heatOf, paletteOf, shade, type Cell } from './heat.ts';
import type { PanelProps } from './kinds.ts';

const legendHeight = 38;

/** HeatmapPanel draws how many requests took how long: one cell for each bucket of a histogram and step. */
export default function HeatmapPanel({ panel, data, frames, width, height }: PanelProps<'heatmap'>) {
  const theme = useTheme2();
  const o = panel.options;
  const heat = useMemo(() => heatOf(frames, o.filterValues), [frames, o.filterValues]);
  const palette = useMemo(() => paletteOf(o.color, theme), [o.color, theme]);
  const value = getValueFormat(o.yAxis?.unit ?? 'short');
  const count = getValueFormat(o.cellValues?.unit ?? panel.fieldConfig.defaults.unit ?? 'short');
  const format = (v: number) => formattedValueToString(value(v, o.yAxis?.decimals));
  const formatCount = (v: number) => formattedValueToString(count(v, o.cellValues?.decimals));
  const showLegend = o.legend?.show ?? true;
  const draw = useCallback(
    (u: uPlot, context: CanvasRenderingContext2D) => {
      for (const cell of heat?.cells ?? []) {
        const left = u.valToPos(cell.time - heat!.step, 'x', true);
        const right = u.valToPos(cell.time, 'x', true);
        const top = u.valToPos(cell.high, 'y', true);
        const bottom = u.valToPos(cell.low, 'y', true);
        // A gap would swallow narrow cells.
        const gap = Math.min((o.cellGap ?? 1) * devicePixelRatio, (right - left) / 5, (bottom - top) / 5);
        context.fillStyle = palette[shade(cell.count, heat!.most, palette.length, o.color)];
        context.beginPath();
        const [w, h] = [right - left - gap, bottom - top - gap];
        if (o.cellRadius) {
          context.roundRect(left, top, w, h, o.cellRadius * devicePixelRatio);
        } else {
          context.rect(left, top, w, h);
        }
        context.fill();
      }
    },
    [heat, palette, o]
  );
  if (!heat) {
    return null;
  }
  const hover = (x: number, y: number) => {
    const at = heat.cells.find((c) => x > c.time - heat.step && x <= c.time && y >= c.low && y < c.high);
    return o.tooltip?.mode === 'none' || !at ? undefined : <Hover cell={at} cells={heat.cells.filter((c) => c.time === at.time)} format={format} formatCount={formatCount} histogram={o.tooltip?.yHistogram} />;
  };
  const low = o.yAxis?.min ? Number(o.yAxis.min) : heat.low;
  const high = o.yAxis?.max ? Number(o.yAxis.max) : heat.high;
  return (
    <>
      <CanvasChart
        width={width} height={height - (showLegend ? legendHeight : 0)} draw={draw} hover={hover}
        x={{ min: data.range.from.valueOf(), max: data.range.to.valueOf(), time: true }}
        y={{ min: low, max: high, log: 2, format, label: o.yAxis?.axisLabel || undefined, marks: powers(low, high).map((v) => [v, format(v)]) }}
        onSelectX={(from, to) => change({ from: String(Math.round(from)), to: String(Math.round(to)) })}
      >
        {(config) => data.exemplars.length > 0 && <Exemplars config={config} exemplars={data.exemplars} unit={o.yAxis?.unit} color={o.exemplars?.color} />}
      </CanvasChart>
      {showLegend && <Scale palette={palette} least={formatCount(0)} most={formatCount(heat.most)} />}
    </>
  );
}

/** powers are the marks of a logarithmic axis: 1, 10, 100, and 3 of each where that leaves few. */
function powers(low: number, high: number): number[] {
  const out: number[] = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p++) {
    out.push(10 ** p, 3 * 10 ** p);
  }
  const within = out.map((v) => Number(v.toPrecision(1))).filter((v) => v >= low && v <= high);
  return within.length > 7 ? within.filter((v) => !String(v).includes('3')) : within;
}

function Hover({ cell, cells, format, formatCount, histogram }: { cell: Cell; cells: Cell[]; format: (v: number) => string; formatCount: (v: number) => string; histogram?: boolean }) {
  const theme = useTheme2();
  const most = Math.max(...cells.map((c) => c.count));
  return (
    <VizTooltipWrapper>
      <VizTooltipHeader item={{ label: '', value: dateTimeFormat(cell.time) }} />
      <VizTooltipContent items={[{ label: 'Took', value: `${format(cell.low)} – ${format(cell.high)}` }, { label: 'How many', value: formatCount(cell.count) }]}>
        {histogram ? (
          <div className={css({ display: 'flex', alignItems: 'flex-end', gap: 1, height: 40, paddingTop: 4 })} aria-hidden>
            {[...cells].sort((a, b) => a.low - b.low).map((c) => (
              <i key={c.low} style={{ width: 5, height: `${Math.max((c.count / most) * 100, 3)}%`, background: c === cell ? theme.colors.text.primary : theme.colors.text.disabled }} />
            ))}
          </div>
        ) : null}
      </VizTooltipContent>
    </VizTooltipWrapper>
  );
}

function Scale({ palette, least, most }: { palette: string[]; least: string; most: string }) {
  const theme = useTheme2();
  return (
    <div className={css({ height: legendHeight, padding: '4px 8px 0 48px', fontSize: theme.typography.bodySmall.fontSize, color: theme.colors.text.secondary, maxWidth: 420 })}>
      <div style={{ height: 8, background: `linear-gradient(to right, ${palette.join(', ')})` }} />
      <div className={css({ display: 'flex', justifyContent: 'space-between' })}>
        <span>{least}</span>
        <span>{most}</span>
      </div>
    </div>
  );
}
