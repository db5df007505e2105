import { dateTimeFormat, FieldType, formattedValueToString, getFieldDisplayName, type DataFrame, type DisplayValue, type Field, type GrafanaTheme2 } from '@grafana/data';
import { LegendDisplayMode } from '@grafana/schema';
import { getTextColorForBackground, useTheme2, VizLayout, VizLegend, VizTooltipContent, VizTooltipHeader, VizTooltipWrapper, type VizLegendItem } from '@grafana/ui';
import { useCallback, useMemo } from 'react';
import type uPlot from 'uplot';
import { change } from '../app/place.ts';
import { CanvasChart } from './CanvasChart.tsx';
import type { PanelProps } from './kinds.ts';

interface State {
  from: number;
  to: number;
  shown: DisplayValue;
}

interface Lane {
  name: string;
  states: State[];
  opacity: number;
  border: number;
}

/** StateTimelinePanel draws what state each series was in, and when that changed. */
export default function StateTimelinePanel({ panel, data, frames, width, height }: PanelProps<'state-timeline'>) {
  const theme = useTheme2();
  const o = panel.options;
  const until = data.range.to.valueOf();
  const lanes = useMemo(() => lanesOf(frames, o.mergeValues ?? true, until), [frames, o.mergeValues, until]);
  const labels = o.showValue ?? 'auto';
  const rowHeight = o.rowHeight ?? 0.9;
  const align = o.alignValue ?? 'left';
  const draw = useCallback(
    (u: uPlot, context: CanvasRenderingContext2D) => {
      context.font = `${12 * devicePixelRatio}px ${theme.typography.fontFamily}`;
      context.textBaseline = 'middle';
      lanes.forEach((lane, i) => {
        const middle = lanes.length - i - 0.5;
        const top = u.valToPos(middle + rowHeight / 2, 'y', true);
        const bottom = u.valToPos(middle - rowHeight / 2, 'y', true);
        for (const s of lane.states) {
          const left = Math.max(u.valToPos(s.from, 'x', true), u.bbox.left);
          const right = Math.min(u.valToPos(s.to, 'x', true), u.bbox.left + u.bbox.width);
          const color = s.shown.color ?? theme.colors.text.disabled;
          context.globalAlpha = lane.opacity;
          context.fillStyle = color;
          context.fillRect(left, top, Math.max(right - left - devicePixelRatio, 1), bottom - top);
          context.globalAlpha = 1;
          if (lane.border > 0) {
            context.lineWidth = lane.border * devicePixelRatio;
            context.strokeStyle = color;
            context.strokeRect(left, top, Math.max(right - left - devicePixelRatio, 1), bottom - top);
          }
          const text = formattedValueToString(s.shown);
          const room = right - left - 8 * devicePixelRatio;
          if (labels !== 'never' && (labels === 'always' || context.measureText(text).width < room)) {
            context.fillStyle = lane.opacity > 0.5 ? getTextColorForBackground(color) : theme.colors.text.primary;
            context.textAlign = align;
            const x = { left: left + 4 * devicePixelRatio, center: (left + right) / 2, right: right - 4 * devicePixelRatio }[align as 'left'];
            context.fillText(text, x, (top + bottom) / 2);
          }
        }
      });
    },
    [lanes, labels, rowHeight, align, theme]
  );
  const hover = (x: number, y: number) => {
    const lane = lanes[lanes.length - 1 - Math.floor(y)];
    const state = lane?.states.find((s) => x >= s.from && x < s.to);
    return state && o.tooltip?.mode !== 'none' ? <Hover lane={lane} state={state} /> : undefined;
  };
  const show = (o.legend?.showLegend ?? true) && o.legend?.displayMode !== 'hidden';
  const placement = o.legend?.placement ?? 'bottom';
  const size = Math.min(Math.max(...lanes.map((l) => l.name.length), 4) * 7.5 + 16, width / 3);
  return (
    <VizLayout
      width={width} height={height}
      legend={show ? <VizLayout.Legend placement={placement}><VizLegend items={legendOf(lanes, theme)} placement={placement} displayMode={(o.legend?.displayMode as LegendDisplayMode) ?? LegendDisplayMode.List} readonly /></VizLayout.Legend> : null}
    >
      {(w, h) => (
        <CanvasChart
          width={w} height={h} draw={draw} hover={hover} x={{ min: data.range.from.valueOf(), max: until, time: true }}
          y={{ min: 0, max: lanes.length, grid: false, size, marks: lanes.map((l, i) => [lanes.length - i - 0.5, short(l.name, size)]), hidden: panel.fieldConfig.defaults.custom?.axisPlacement === 'hidden' }}
          onSelectX={(from, to) => change({ from: String(Math.round(from)), to: String(Math.round(to)) })}
        />
      )}
    </VizLayout>
  );
}

function short(name: string, size: number): string {
  const room = Math.max(Math.floor(size / 7), 4);
  return name.length > room ? `${name.slice(0, room - 1)}…` : name;
}

/** lanesOf turns series into states that last until the next value, or until values stop for more than two steps. */
function lanesOf(frames: DataFrame[], merge: boolean, until: number): Lane[] {
  return frames.flatMap((frame) => {
    const time = frame.fields.find((f) => f.type === FieldType.time);
    return frame.fields
      .filter((f) => f !== time && f.type !== FieldType.time && !f.config.custom?.hideFrom?.viz)
      .map((f) => ({ name: getFieldDisplayName(f, frame, frames), states: time ? statesOf(time, f, merge, until) : [], opacity: (f.config.custom?.fillOpacity ?? 70) / 100, border: f.config.custom?.lineWidth ?? 0 }));
  });
}

function statesOf(time: Field, field: Field, merge: boolean, until: number): State[] {
  const step = (time.config.interval as number) || Infinity;
  const states: State[] = [];
  for (let i = 0; i < field.values.length; i++) {
    const value = field.values[i];
    const from = time.values[i] as number;
    const next = (time.values[i + 1] as number) ?? until;
    const to = Math.min(next, field.config.custom?.spanNulls === true || next - from <= 2 * step ? next : from + step);
    if (value === null || value === undefined) {
      continue;
    }
    const shown = field.display!(value);
    const last = states[states.length - 1];
    if (merge && last && last.to === from && formattedValueToString(last.shown) === formattedValueToString(shown) && last.shown.color === shown.color) {
      last.to = to;
    } else {
      states.push({ from, to, shown });
    }
  }
  return states;
}

/** legendOf lists the states that occur. */
function legendOf(lanes: Lane[], theme: GrafanaTheme2): VizLegendItem[] {
  const seen = new Map<string, string>();
  for (const s of lanes.flatMap((l) => l.states)) {
    seen.set(formattedValueToString(s.shown), s.shown.color ?? theme.colors.text.disabled);
  }
  return [...seen].slice(0, 20).map(([label, color]) => ({ label, color, yAxis: 1 }));
}

function Hover({ lane, state }: { lane: Lane; state: State }) {
  const clock = (t: number) => dateTimeFormat(t, { format: 'HH:mm:ss' });
  const seconds = Math.round((state.to - state.from) / 1000);
  return (
    <VizTooltipWrapper>
      <VizTooltipHeader item={{ label: '', value: `${clock(state.from)} – ${clock(state.to)} (${seconds} s)` }} />
      <VizTooltipContent items={[{ label: lane.name, value: formattedValueToString(state.shown), color: state.shown.color }]} />
    </VizTooltipWrapper>
  );
}
