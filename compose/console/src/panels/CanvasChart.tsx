import { css } from '@emotion/css';
import { type GrafanaTheme2 } from '@grafana/data';
import { AxisPlacement, ScaleDirection, ScaleDistribution, ScaleOrientation } from '@grafana/schema';
import { UPlotChart, UPlotConfigBuilder, useTheme2, VizTooltipContainer } from '@grafana/ui';
import { useMemo, useRef, useState, type ReactNode } from 'react';
import uPlot from 'uplot';

/** Axis is one axis of a chart that draws itself. */
export interface Axis {
  min: number;
  max: number;
  time?: boolean;
  log?: number; // base of a logarithmic axis
  label?: string;
  size?: number;
  hidden?: boolean;
  grid?: boolean;
  right?: boolean;
  format?: (value: number) => string;
  /** Fixed places of the marks, with their texts. */
  marks?: Array<[number, string]>;
}

interface Props {
  width: number;
  height: number;
  x: Axis;
  y: Axis;
  /** draw paints within the axes. Positions come from u.valToPos(value, 'x' or 'y', true). */
  draw: (u: uPlot, context: CanvasRenderingContext2D) => void;
  /** hover says what is at a place, given in the units of the axes, or nothing. */
  hover?: (x: number, y: number, u: uPlot) => ReactNode;
  onSelectX?: (from: number, to: number) => void;
  children?: (config: UPlotConfigBuilder) => ReactNode;
}

/** CanvasChart is uPlot in Grafana's dress for what is neither a line nor a bar: cells, points, states. */
export function CanvasChart({ width, height, x, y, draw, hover, onSelectX, children }: Props) {
  const theme = useTheme2();
  const plot = useRef<uPlot>();
  const [tip, setTip] = useState<{ left: number; top: number; content: ReactNode }>();
  const latest = useRef({ draw, hover });
  latest.current = { draw, hover };
  const config = useMemo(() => {
    const builder = new UPlotConfigBuilder('browser');
    builder.addScale({ scaleKey: 'x', isTime: x.time, orientation: ScaleOrientation.Horizontal, direction: ScaleDirection.Right, range: () => [x.min, x.max] });
    builder.addScale({
      scaleKey: 'y', orientation: ScaleOrientation.Vertical, direction: ScaleDirection.Up, range: () => [y.min, y.max],
      distribution: y.log ? ScaleDistribution.Log : ScaleDistribution.Linear, log: y.log,
    });
    addAxis(builder, 'x', x, theme);
    addAxis(builder, 'y', y, theme);
    builder.addSeries({ scaleKey: 'y', theme, pathBuilder: () => null, pointsBuilder: () => undefined, show: true } as never);
    builder.addHook('drawClear', (u) => {
      plot.current = u;
    });
    builder.addHook('draw', (u) => {
      const { left, top, width: w, height: h } = u.bbox;
      u.ctx.save();
      u.ctx.beginPath();
      u.ctx.rect(left, top, w, h);
      u.ctx.clip();
      latest.current.draw(u, u.ctx);
      u.ctx.restore();
    });
    builder.setCursor({ drag: { x: Boolean(onSelectX), y: false, setScale: false }, points: { show: false } });
    if (onSelectX) {
      builder.addHook('setSelect', (u) => {
        if (u.select.width > 4) {
          onSelectX(u.posToVal(u.select.left, 'x'), u.posToVal(u.select.left + u.select.width, 'x'));
        }
      });
    }
    return builder;
    // Drawing changes with every new draw; the configuration only with the axes.
  }, [theme, JSON.stringify(x), JSON.stringify(y), Boolean(onSelectX), draw]);
  const data = useMemo((): uPlot.AlignedData => [[x.min, x.max], [y.min, y.max]], [x.min, x.max, y.min, y.max, draw]);
  return (
    <div
      className={css({ position: 'relative' })}
      onMouseMove={(event) => {
        const u = plot.current;
        const over = u?.over.getBoundingClientRect();
        if (!u || !over || !latest.current.hover) {
          return;
        }
        const left = event.clientX - over.left;
        const top = event.clientY - over.top;
        const inside = left >= 0 && top >= 0 && left <= over.width && top <= over.height;
        const content = inside ? latest.current.hover(u.posToVal(left, 'x'), u.posToVal(top, 'y'), u) : undefined;
        setTip(content ? { left: event.clientX, top: event.clientY, content } : undefined);
      }}
      onMouseLeave={() => setTip(undefined)}
    >
      <UPlotChart config={config} data={data} width={width} height={height}>
        {children?.(config)}
      </UPlotChart>
      {tip && (
        <VizTooltipContainer position={{ x: tip.left, y: tip.top }} offset={{ x: 12, y: 12 }}>
          {tip.content}
        </VizTooltipContainer>
      )}
    </div>
  );
}

function addAxis(builder: UPlotConfigBuilder, scaleKey: 'x' | 'y', axis: Axis, theme: GrafanaTheme2): void {
  builder.addAxis({
    scaleKey, theme, isTime: axis.time, label: axis.label, show: !axis.hidden, size: axis.size, grid: { show: axis.grid ?? true },
    placement: scaleKey === 'x' ? AxisPlacement.Bottom : axis.right ? AxisPlacement.Right : AxisPlacement.Left,
    formatValue: axis.format, distr: axis.log ? ScaleDistribution.Log : undefined,
    splits: axis.marks && (() => axis.marks!.map(([at]) => at)),
    values: axis.marks && ((_u: uPlot, at: number[]) => at.map((v) => axis.marks!.find(([m]) => m === v)?.[1] ?? '')),
  });
}
