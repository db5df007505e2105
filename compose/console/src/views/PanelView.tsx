import {
  applyFieldOverrides, LoadingState, transformDataFrame, type DataFrame, type EventBus, type InterpolateFunction, type TimeRange,
} from '@grafana/data';
import { ErrorBoundary, IconButton, PanelChrome, useTheme2 } from '@grafana/ui';
import { css } from '@emotion/css';
import { lastValueFrom } from 'rxjs';
import { lazy, Suspense, useEffect, useMemo, useState, type ReactNode } from 'react';
import { fieldRegistry } from '../app/setup.ts';
import { useSize, useTask } from '../app/hooks.ts';
import type { Panel } from '../model/dashboard.ts';
import { interpolate, type Language, type Values } from '../model/interpolate.ts';
import { builtin, run, type Data } from '../model/query.ts';
import { steps } from '../model/interval.ts';
import { isPanelType, type PanelType } from '../model/supported.ts';
import { panelKinds, type Kind } from '../panels/kinds.ts';
import { PanelLinks } from './PanelLinks.tsx';

const ExemplarList = lazy(() => import('./ExemplarList.tsx'));

interface Props {
  panel: Panel;
  values: Values;
  range: TimeRange;
  eventBus: EventBus;
}

/** Drawn is a panel's data after transformations. */
interface Drawn extends Data {
  shown: DataFrame[];
}

/** PanelView asks what a panel wants to know, and draws it in Grafana's frame. */
export function PanelView({ panel, values, range, eventBus }: Props) {
  const [measure, size] = useSize<HTMLDivElement>();
  const [list, setList] = useState(false);
  const [painted, setPainted] = useState<Drawn>();
  const title = interpolate(panel.title ?? '', values);
  // A panel that grows by a few pixels needs no other data.
  const points = Math.ceil(size.width / 100) * 100;
  const known = isPanelType(panel.type);
  const kind = known ? panelKinds[panel.type as PanelType] : undefined;
  useEffect(() => {
    // Where this fails, so does drawing, which says so.
    kind?.load?.().catch(() => undefined);
  }, [kind]);
  const data = useTask<Drawn>(size.width > 0 && known ? (signal) => load(panel, points, { values, range, signal }) : undefined, [
    panel, values, range, points,
  ]);
  const problem = known ? data.error : new Error(`panels of the type "${panel.type}" are not drawn by the console`);
  const state = problem ? 'error' : data.value ? (kind!.empty(data.value) ? 'empty' : 'drawn') : 'loading';
  return (
    <div ref={measure} style={{ height: '100%' }} data-panel={panel.id} data-title={title} data-type={panel.type} data-state={state} data-busy={known && (data.loading || (state === 'drawn' && painted !== data.value))}>
      {size.width > 0 && (
        <PanelChrome
          title={title} description={panel.description} width={size.width} height={size.height} padding={kind?.padding ?? 'md'}
          titleItems={panel.links?.length ? <PanelLinks title={title} links={panel.links} values={values} range={range} /> : undefined}
          loadingState={data.loading ? LoadingState.Loading : LoadingState.Done} displayMode={panel.transparent ? 'transparent' : 'default'}
          actions={
            data.value && data.value.exemplars.length > 0 ? (
              // The tooltip is its name, too.
              <IconButton name="list-ul" tooltip={`${title}: single requests, slowest first`} onClick={() => setList(true)} />
            ) : undefined
          }
        >
          {(width, height) => (
            <div style={{ width, height, position: 'relative' }}>
              {problem ? (
                <Problem error={problem} />
              ) : (
                data.value && (
                  <ErrorBoundary dependencies={[data.value]}>
                    {({ error }) =>
                      error ? <Problem error={error} /> : <Body panel={panel} kind={kind!} data={data.value!} empty={state === 'empty'} width={width} height={height} values={values} eventBus={eventBus} onPainted={setPainted} />
                    }
                  </ErrorBoundary>
                )
              )}
            </div>
          )}
        </PanelChrome>
      )}
      {list && data.value && (
        <Suspense>
          <ExemplarList title={title} exemplars={data.value.exemplars} unit={panel.fieldConfig.defaults.unit} close={() => setList(false)} />
        </Suspense>
      )}
    </div>
  );
}

async function load(panel: Panel, width: number, context: { values: Values; range: TimeRange; signal: AbortSignal }): Promise<Drawn> {
  const data = await run(panel, width, context);
  const shown = panel.transformations?.length
    ? await lastValueFrom(transformDataFrame(panel.transformations, data.frames, { interpolate: (text) => interpolate(text, context.values) }))
    : data.frames;
  return { ...data, shown };
}

interface BodyProps {
  panel: Panel;
  kind: Kind;
  data: Drawn;
  empty: boolean;
  width: number;
  height: number;
  values: Values;
  eventBus: EventBus;
  onPainted: (data: Drawn) => void;
}

function Body({ panel, kind, data, empty, width, height, values, eventBus, onPainted }: BodyProps) {
  const theme = useTheme2();
  const replace: InterpolateFunction = useMemo(() => {
    const { range } = data;
    const scoped = builtin(range, steps(range, width));
    return (text, own, format) => interpolate(text ?? '', values, { ...scoped, ...own }, (format === 'uriencode' ? 'url' : 'text') as Language);
  }, [values, data.range, width]);
  const frames = useMemo(() => {
    const type = panel.type as PanelType;
    const { defaults, overrides } = panel.fieldConfig;
    const fieldConfig = { defaults: { color: { mode: kind.color ?? 'thresholds' }, ...defaults, custom: { ...kind.custom, ...defaults.custom } }, overrides };
    return applyFieldOverrides({ data: data.shown, fieldConfig, fieldConfigRegistry: fieldRegistry(type), replaceVariables: replace, theme, timeZone: 'browser' });
  }, [panel, kind, data.shown, replace, theme]);
  if (empty && !kind.drawsNothing) {
    return <Nothing text={panel.fieldConfig.defaults.noValue || 'No data'} />;
  }
  const Draw = kind.draw;
  return (
    <Suspense>
      <Draw panel={panel as never} data={data} frames={frames} width={width} height={height} replace={replace} eventBus={eventBus} />
      <Painted data={data} on={onPainted} />
    </Suspense>
  );
}

/** Painted tells when what stands beside it, which may first have to be loaded, is part of the page. */
function Painted({ data, on }: { data: Drawn; on: (data: Drawn) => void }): null {
  useEffect(() => on(data), [data, on]);
  return null;
}

/** Nothing says why a panel shows nothing. */
function Nothing({ text }: { text: string }): ReactNode {
  const theme = useTheme2();
  return (
    <div className={css({ display: 'flex', height: '100%', alignItems: 'center', justifyContent: 'center', color: theme.colors.text.secondary, textAlign: 'center' })}>
      {text}
    </div>
  );
}

/** Problem says what went wrong, with the name of the store that it went wrong at. */
function Problem({ error }: { error: Error }): ReactNode {
  const theme = useTheme2();
  return (
    <div
      role="alert"
      className={css({ height: '100%', overflow: 'auto', padding: theme.spacing(1), color: theme.colors.error.text, borderLeft: `3px solid ${theme.colors.error.border}`, overflowWrap: 'anywhere' })}
    >
      {error.message}
    </div>
  );
}
