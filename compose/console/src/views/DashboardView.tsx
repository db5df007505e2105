import { css } from '@emotion/css';
import { EventBusSrv, locationUtil, rangeUtil, type GrafanaTheme2, type TimeRange } from '@grafana/data';
import { Alert, useStyles2 } from '@grafana/ui';
import { useMemo, useState } from 'react';
import { useTask, useTick } from '../app/hooks.ts';
import { rangeQuery, rawRange, timeRange, usePlace } from '../app/place.ts';
import { fetchJSON } from '../api/stores.ts';
import { normalise, rows, type Dashboard, type Row } from '../model/dashboard.ts';
import type { Values } from '../model/interpolate.ts';
import { resolve } from '../model/variables.ts';
import type { Board } from './Boards.tsx';
import { PanelView } from './PanelView.tsx';
import { Siblings } from './Siblings.tsx';
import { TimeControls } from './TimeControls.tsx';
import { Variables } from './Variables.tsx';

/** DashboardView draws one dashboard from its committed JSON. */
export default function DashboardView({ uid, boards }: { uid: string; boards: Board[] }) {
  const { value: dashboard, error } = useTask(
    (signal) => fetchJSON<Dashboard>(`/api/dashboards/${encodeURIComponent(uid)}`, signal).then(normalise),
    [uid]
  );
  if (error) {
    return <Alert title="This dashboard cannot be opened">{error.message}</Alert>;
  }
  return dashboard ? <Opened dashboard={dashboard} boards={boards} /> : null;
}

function Opened({ dashboard, boards }: { dashboard: Dashboard; boards: Board[] }) {
  const styles = useStyles2(getStyles);
  const { query } = usePlace();
  const refresh = query.get('refresh') ?? dashboard.refresh ?? '';
  const every = rangeUtil.isRelativeTime(query.get('to') ?? dashboard.time.to) && refresh ? rangeUtil.intervalToMs(refresh) : undefined;
  const [tick, again] = useTick(every);
  const raw = rawRange(query, dashboard.time);
  const range = useMemo(() => timeRange(raw), [String(raw.from), String(raw.to), tick]);
  const asked = [...query].filter(([name]) => name.startsWith('var-')).join('&');
  const variables = useTask(
    (signal) => resolve(dashboard, query, { from: range.from.valueOf(), to: range.to.valueOf(), signal }),
    [dashboard, range, asked]
  );
  const eventBus = useMemo(() => new EventBusSrv(), []);
  const values = useStable(variables.value?.values);
  // Links within panels keep the range, as in Grafana.
  locationUtil.initialize({
    config: { appSubUrl: '' } as never, getVariablesUrlParams: () => variablesQuery(values ?? {}), getTimeRangeForUrl: () => rangeQuery(range) as never,
  });
  return (
    <>
      <div className={styles.top}>
        <h1 className={styles.title} title={dashboard.description}>
          {dashboard.title}
        </h1>
        <Siblings dashboard={dashboard} boards={boards} />
        <TimeControls range={range} refresh={refresh} again={again} loading={variables.loading} />
      </div>
      <Variables dashboard={dashboard} resolved={variables.value} />
      {values && rows(dashboard).map((row) => <RowView key={row.id} row={row} values={values} range={range} eventBus={eventBus} />)}
      {variables.error && <Alert title="The variables cannot be set">{variables.error.message}</Alert>}
    </>
  );
}

/** useStable keeps values that say the same the same object, so that a refresh does not ask twice. */
function useStable(values: Values | undefined): Values | undefined {
  const text = JSON.stringify(values);
  return useMemo(() => values, [text]);
}

/** variablesQuery writes variables as parameters of an address. */
function variablesQuery(values: Values): Record<string, string[]> {
  return Object.fromEntries(Object.entries(values).map(([name, v]) => [`var-${name}`, v.values]));
}

function RowView({ row, values, range, eventBus }: { row: Row; values: Values; range: TimeRange; eventBus: EventBusSrv }) {
  const styles = useStyles2(getStyles);
  const [open, setOpen] = useState(!row.collapsed);
  const top = Math.min(...row.panels.map((p) => p.gridPos.y));
  return (
    <section aria-label={row.title || 'Panels'}>
      {row.title && (
        <h2 className={styles.row}>
          <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
            <span aria-hidden>{open ? '▾' : '▸'}</span> {row.title}
          </button>
        </h2>
      )}
      {open && (
        <div className={styles.grid}>
          {row.panels.map((panel) => (
            <div
              key={panel.id}
              className={styles.cell}
              style={{
                gridColumn: `${panel.gridPos.x + 1} / span ${panel.gridPos.w}`,
                gridRow: `${panel.gridPos.y - top + 1} / span ${panel.gridPos.h}`,
                ['--h' as string]: panel.gridPos.h,
              }}
            >
              <PanelView panel={panel} values={values} range={range} eventBus={eventBus} />
            </div>
          ))}
        </div>
      )}
    </section>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  top: css({ display: 'flex', flexWrap: 'wrap', alignItems: 'center', gap: theme.spacing(1, 2), marginBottom: theme.spacing(1) }),
  title: css({ fontSize: theme.typography.h4.fontSize, margin: 0, flex: 1, whiteSpace: 'nowrap' }),
  row: css({
    fontSize: theme.typography.h5.fontSize, margin: theme.spacing(1, 0, 0.5),
    button: { all: 'unset', cursor: 'pointer', '&:focus-visible': { outline: `2px solid ${theme.colors.primary.main}`, outlineOffset: 2 } },
  }),
  // Grafana's grid: 24 columns, lines of 30 px, 8 px between.
  grid: css({
    display: 'grid', gridTemplateColumns: 'repeat(24, minmax(0, 1fr))', gridAutoRows: 30, gap: 8,
    [theme.breakpoints.down('md')]: { display: 'flex', flexDirection: 'column' },
  }),
  cell: css({ minWidth: 0, [theme.breakpoints.down('md')]: { height: 'calc(var(--h) * 38px - 8px)' } }),
});
