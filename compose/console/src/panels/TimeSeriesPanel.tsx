import { DashboardCursorSync, FieldType, type DataFrame, type Field } from '@grafana/data';
import { LegendDisplayMode, SortOrder, TooltipDisplayMode } from '@grafana/schema';
import {
  getFieldDisplayItems, PanelContextProvider, SeriesVisibilityChangeMode, TimeSeries, TooltipPlugin2, VizTooltipContent, VizTooltipHeader,
  VizTooltipWrapper,
} from '@grafana/ui';
import { useMemo, useState } from 'react';
import { dateTimeFormat, dateTime } from '@grafana/data';
import { change } from '../app/place.ts';
import { Exemplars } from './Exemplars.tsx';
import type { PanelProps } from './kinds.ts';

/** HoverAllSeries is TooltipPlugin2's mode in which every series at the cursor is told; HoverOne tells the nearest. */
const HoverOne = 0;
const HoverAllSeries = 1;

/** TimeSeriesPanel draws lines, areas and bars over time. */
export default function TimeSeriesPanel({ panel, data, frames, width, height, eventBus }: PanelProps<'timeseries'>) {
  const { legend, tooltip } = panel.options;
  const [hidden, setHidden] = useState<string[]>([]);
  const shown = useMemo(() => withHidden(frames, hidden), [frames, hidden]);
  const names = useMemo(() => seriesNames(frames), [frames]);
  const context = useMemo(
    () => ({
      eventsScope: 'console', eventBus, sync: () => DashboardCursorSync.Crosshair,
      onToggleSeriesVisibility: (label: string | string[] | null, mode: SeriesVisibilityChangeMode) =>
        setHidden((now) => toggled(names, now, label, mode)),
    }),
    [eventBus, names]
  );
  const mode = tooltip?.mode ?? 'single';
  return (
    <PanelContextProvider value={context}>
      <TimeSeries
        frames={shown} width={width} height={height} timeRange={data.range} timeZone="browser" options={panel.options}
        legend={{
          displayMode: legend?.displayMode ?? LegendDisplayMode.List, placement: legend?.placement ?? 'bottom', calcs: legend?.calcs ?? [],
          showLegend: legend?.showLegend ?? true, sortBy: legend?.sortBy, sortDesc: legend?.sortDesc, width: legend?.width,
        }}
      >
        {(builder, aligned) => (
          <>
            {mode !== 'none' && (
              <TooltipPlugin2
                config={builder} hoverMode={mode === 'multi' ? HoverAllSeries : HoverOne}
                queryZoom={({ from, to }) => change({ from: String(Math.round(from)), to: String(Math.round(to)) })} maxWidth={tooltip?.maxWidth}
                render={(_u, dataIdxs, seriesIdx, isPinned) => (
                  <Hover frame={aligned} dataIdxs={dataIdxs} seriesIdx={seriesIdx} pinned={isPinned} mode={mode} sort={tooltip?.sort} hideZeros={tooltip?.hideZeros} maxHeight={tooltip?.maxHeight} />
                )}
              />
            )}
            {data.exemplars.length > 0 && <Exemplars config={builder} exemplars={data.exemplars} unit={panel.fieldConfig.defaults.unit} />}
          </>
        )}
      </TimeSeries>
    </PanelContextProvider>
  );
}

interface HoverProps {
  frame: DataFrame;
  dataIdxs: Array<number | null>;
  seriesIdx: number | null;
  pinned: boolean;
  mode: string;
  sort?: string;
  hideZeros?: boolean;
  maxHeight?: number;
}

/** Hover is what the cursor points at. */
function Hover({ frame, dataIdxs, seriesIdx, pinned, mode, sort, hideZeros, maxHeight }: HoverProps) {
  const time: Field = frame.fields[0];
  const at = dataIdxs.find((i) => i !== null && i !== undefined);
  const items = getFieldDisplayItems(
    frame.fields, time, dataIdxs, seriesIdx, mode === 'multi' ? TooltipDisplayMode.Multi : TooltipDisplayMode.Single,
    (sort as SortOrder) ?? SortOrder.None, (f) => f.type !== FieldType.time && !f.config.custom?.hideFrom?.tooltip, hideZeros
  );
  const when = at === undefined ? '' : dateTimeFormat(dateTime(time.values[at]), { timeZone: 'browser' });
  return (
    <VizTooltipWrapper>
      <VizTooltipHeader item={{ label: '', value: when }} isPinned={pinned} />
      <VizTooltipContent items={items} isPinned={pinned} scrollable={Boolean(maxHeight)} maxHeight={maxHeight} />
    </VizTooltipWrapper>
  );
}

/** seriesNames lists the names of all series, as the legend shows them. */
function seriesNames(frames: DataFrame[]): string[] {
  return frames.flatMap((f) => f.fields.filter((x) => x.type === FieldType.number).map((x) => nameOf(x)));
}

function nameOf(field: Field): string {
  return field.state?.displayName ?? field.config.displayName ?? field.config.displayNameFromDS ?? field.name;
}

/** withHidden hides series by name. */
function withHidden(frames: DataFrame[], hidden: string[]): DataFrame[] {
  if (hidden.length === 0) {
    return frames;
  }
  return frames.map((frame) => ({
    ...frame,
    fields: frame.fields.map((f) =>
      hidden.includes(nameOf(f)) ? { ...f, config: { ...f.config, custom: { ...f.config.custom, hideFrom: { ...f.config.custom?.hideFrom, viz: true } } } } : f
    ),
  }));
}

/** toggled is what is hidden after a click in the legend: a plain one shows a series alone, or all again; one with a key held hides or shows one. */
function toggled(names: string[], hidden: string[], label: string | string[] | null, mode: SeriesVisibilityChangeMode): string[] {
  const chosen = [label ?? []].flat();
  if (mode === SeriesVisibilityChangeMode.AppendToSelection) {
    return chosen.reduce((now, l) => (now.includes(l) ? now.filter((n) => n !== l) : [...now, l]), hidden);
  }
  const others = names.filter((n) => !chosen.includes(n));
  const alone = hidden.length === others.length && others.every((n) => hidden.includes(n));
  return alone || chosen.length === 0 ? [] : others;
}
