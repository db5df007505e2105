import { fieldMatchers, FieldType, formattedValueToString, getFieldDisplayName, getFieldSeriesColor, type DataFrame, type Field } from '@grafana/data';
import { LegendDisplayMode } from '@grafana/schema';
import { useTheme2, VizLayout, VizLegend, VizTooltipContent, VizTooltipWrapper, type VizLegendItem } from '@grafana/ui';
import { useCallback, useMemo } from 'react';
import type uPlot from 'uplot';
import type { Options } from '../model/supported.ts';
import { CanvasChart } from './CanvasChart.tsx';
import type { PanelProps } from './kinds.ts';

interface Series {
  name: string;
  x: Field;
  y: Field;
  color: string;
  frame: DataFrame;
  points: Array<[number, number, number]>; // x, y, row
}

type Choice = Options<'xychart'>['series'];

/** XYChartPanel draws one number against another. */
export default function XYChartPanel({ panel, frames, width, height }: PanelProps<'xychart'>) {
  const theme = useTheme2();
  const o = panel.options;
  const all = useMemo(() => pairs(frames, o.mapping === 'manual' ? o.series : undefined).map((s, i) => ({ ...s, color: getFieldSeriesColor({ ...s.y, state: { ...s.y.state, seriesIndex: i } }, theme).color })), [frames, o, theme]);
  const draw = useCallback(
    (u: uPlot, context: CanvasRenderingContext2D) => {
      for (const s of all) {
        const custom = s.y.config.custom ?? {};
        const radius = ((custom.pointSize?.fixed ?? 5) / 2) * devicePixelRatio;
        const at = s.points.map(([x, y]) => [u.valToPos(x, 'x', true), u.valToPos(y, 'y', true)]);
        context.strokeStyle = context.fillStyle = s.color;
        context.lineWidth = (custom.lineWidth ?? 1) * devicePixelRatio;
        if (custom.show !== 'points') {
          context.setLineDash(custom.lineStyle?.fill === 'dash' ? (custom.lineStyle.dash ?? [10, 10]) : []);
          context.beginPath();
          at.forEach(([x, y]) => context.lineTo(x, y));
          context.stroke();
        }
        if (custom.show !== 'lines') {
          for (const [x, y] of at) {
            context.beginPath();
            context.arc(x, y, radius, 0, 2 * Math.PI);
            context.globalAlpha = (custom.fillOpacity ?? 50) / 100;
            context.fill();
            context.globalAlpha = 1;
            context.lineWidth = (custom.pointStrokeWidth ?? 1) * devicePixelRatio;
            context.stroke();
          }
        }
      }
    },
    [all]
  );
  if (all.length === 0) {
    return <p>{panel.fieldConfig.defaults.noValue || 'There is no pair of numbers to draw: an XY chart wants two number columns.'}</p>;
  }
  const axis = (of: 'x' | 'y') => {
    const field = all[0][of];
    const values = all.flatMap((s) => s.points.map((p) => p[of === 'x' ? 0 : 1]));
    const custom = field.config.custom ?? {};
    const [low, high] = [Math.min(...values, custom.axisSoftMin ?? Infinity), Math.max(...values, custom.axisSoftMax ?? -Infinity)];
    const pad = (high - low || Math.abs(high) || 1) * 0.05;
    const log = custom.scaleDistribution?.type === 'log' ? (custom.scaleDistribution.log ?? 10) : undefined;
    return {
      min: field.config.min ?? (log ? low / 1.2 : low >= 0 ? Math.max(low - pad, 0) : low - pad), max: field.config.max ?? (log ? high * 1.2 : high + pad), log, grid: custom.axisGridShow,
      label: custom.axisLabel || (of === 'x' || all.length === 1 ? getFieldDisplayName(field, all[0].frame, frames) : undefined), hidden: custom.axisPlacement === 'hidden',
      right: custom.axisPlacement === 'right', format: (v: number) => (field.display ? formattedValueToString(field.display(v)) : String(v)),
    };
  };
  const hover = (_x: number, _y: number, u: uPlot) => {
    const near = nearest(u, all, u.cursor.left ?? -1, u.cursor.top ?? -1);
    if (!near || o.tooltip?.mode === 'none') {
      return undefined;
    }
    const { series, row } = near;
    const items = series.frame.fields
      .filter((f) => f.type !== FieldType.time && !f.config.custom?.hideFrom?.tooltip)
      .map((f) => ({ label: getFieldDisplayName(f, series.frame, frames), value: f.display ? formattedValueToString(f.display(f.values[row])) : String(f.values[row]), color: f === series.y ? series.color : undefined }));
    return (
      <VizTooltipWrapper>
        <VizTooltipContent items={items} />
      </VizTooltipWrapper>
    );
  };
  const show = (o.legend?.showLegend ?? true) && o.legend?.displayMode !== 'hidden';
  const placement = o.legend?.placement ?? 'bottom';
  const items: VizLegendItem[] = all.map((s) => ({ label: s.name, color: s.color, yAxis: 1 }));
  return (
    <VizLayout
      width={width} height={height}
      legend={show ? <VizLayout.Legend placement={placement}><VizLegend items={items} placement={placement} displayMode={(o.legend?.displayMode as LegendDisplayMode) ?? LegendDisplayMode.List} readonly /></VizLayout.Legend> : null}
    >
      {(w, h) => <CanvasChart width={w} height={h} x={axis('x')} y={axis('y')} draw={draw} hover={hover} />}
    </VizLayout>
  );
}

/** pairs finds what is drawn against what: as the dashboard says, else each frame's second number and so on against its first. */
function pairs(frames: DataFrame[], chosen: Choice): Array<Omit<Series, 'color'>> {
  const make = (frame: DataFrame, x: Field, y: Field, name?: string) => ({
    frame, x, y, name: name ?? getFieldDisplayName(y, frame, frames),
    points: x.values.map((v, i): [number, number, number] => [v, y.values[i], i]).filter(([a, b]) => Number.isFinite(a) && Number.isFinite(b)),
  });
  const visible = (f: Field) => f.type === FieldType.number && !f.config.custom?.hideFrom?.viz;
  if (!chosen) {
    return frames.flatMap((frame) => {
      const [x, ...ys] = frame.fields.filter(visible);
      return x ? ys.map((y) => make(frame, x, y)) : [];
    });
  }
  return frames.flatMap((frame, at) =>
    chosen.flatMap((c) => {
      const wanted = c.frame?.matcher;
      if (wanted && wanted.id === 'byIndex' && wanted.options !== at) {
        return [];
      }
      const find = (m: { id?: string; options?: unknown } | undefined) => {
        const match = m?.id ? fieldMatchers.get(m.id).get(m.options) : undefined;
        return frame.fields.filter((f) => f.type === FieldType.number && match?.(f, frame, frames));
      };
      const [x] = find(c.x?.matcher);
      const ys = c.y?.matcher ? find(c.y.matcher) : frame.fields.filter((f) => visible(f) && f !== x);
      return x ? ys.filter((y) => y !== x).map((y) => make(frame, x, y, c.name?.fixed)) : [];
    })
  );
}

/** nearest finds the point next to the cursor, within 20 px. */
function nearest(u: uPlot, all: Series[], left: number, top: number): { series: Series; row: number } | undefined {
  let best: { series: Series; row: number } | undefined;
  let least = 20;
  for (const series of all) {
    for (const [x, y, row] of series.points) {
      const distance = Math.hypot(u.valToPos(x, 'x') - left, u.valToPos(y, 'y') - top);
      if (distance < least) {
        least = distance;
        best = { series, row };
      }
    }
  }
  return best;
}
