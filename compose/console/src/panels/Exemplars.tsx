import { css } from '@emotion/css';
import { dateTimeFormat, FieldType, formattedValueToString, getValueFormat, type DataFrame } from '@grafana/data';
import { EventsCanvas, UPlotConfigBuilder, useTheme2 } from '@grafana/ui';
import { ScaleOrientation } from '@grafana/schema';
import { useLayoutEffect, useMemo, useRef } from 'react';
import type uPlot from 'uplot';
import type { Exemplar } from '../api/prometheus.ts';
import { useConfig } from '../app/config.ts';
import { traceLink } from '../app/links.ts';

interface Props {
  config: UPlotConfigBuilder;
  exemplars: Exemplar[];
  unit?: string;
  color?: string;
}

/** Exemplars are points of single requests over a chart; each is a link to its trace. */
export function Exemplars({ config, exemplars, unit, color }: Props) {
  const plot = useRef<uPlot>();
  const theme = useTheme2();
  const { exemplarTrace } = useConfig();
  useLayoutEffect(() => {
    config.addHook('init', (u) => {
      plot.current = u;
    });
  }, [config]);
  const frame = useMemo(
    (): DataFrame => ({
      length: exemplars.length,
      fields: [
        { name: 'Time', type: FieldType.time, config: {}, values: exemplars.map((e) => e.time) },
        { name: 'Value', type: FieldType.number, config: {}, values: exemplars.map((e) => e.value) },
      ],
    }),
    [exemplars]
  );
  const style = useMemo(() => getStyles(color ?? theme.visualization.getColorByName('super-light-blue'), theme.colors.text.primary), [theme, color]);
  const format = getValueFormat(unit ?? 'short');
  return (
    <EventsCanvas
      id="exemplars" config={config} events={[frame]}
      mapEventToXYCoords={(f, i) => place(plot.current, config, f.fields[0].values[i], f.fields[1].values[i])}
      renderEventMarker={(_f, i) => {
        const e = exemplars[i];
        const text = `${formattedValueToString(format(e.value))} at ${dateTimeFormat(e.time, { format: 'HH:mm:ss' })}`;
        const trace = e.labels[exemplarTrace];
        const where = Object.entries(e.series).filter(([n]) => /route|method|status/.test(n)).map(([, v]) => v).join(' ');
        return trace ? (
          <a className={style} href={traceLink(trace)} tabIndex={-1} data-exemplar={trace} aria-label={`${text}: open its trace`} title={`${text}\n${where}\nopen its trace`} />
        ) : (
          <span className={style} title={text} />
        );
      }}
    />
  );
}

/** place is where a point lies; values beyond the axis lie on its edge. */
function place(u: uPlot | undefined, config: UPlotConfigBuilder, time: number, value: number): { x: number; y: number } | undefined {
  const key = config.scales.find((s) => s.props.orientation === ScaleOrientation.Vertical)?.props.scaleKey;
  if (!u || !key || u.scales[key]?.min == null) {
    return undefined;
  }
  const { min, max } = u.scales[key];
  return { x: u.valToPos(time, 'x'), y: u.valToPos(Math.min(Math.max(value, min!), max!), key) };
}

const getStyles = (color: string, border: string) =>
  css({
    display: 'block', width: 8, height: 8, transform: 'translate(-50%, -50%) rotate(45deg)', background: color, border: `1px solid ${border}`, opacity: 0.75,
    cursor: 'pointer', '&:hover, &:focus-visible': { opacity: 1, outline: `2px solid ${border}`, zIndex: 2 },
  });
