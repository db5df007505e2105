import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { IconButton, useStyles2 } from '@grafana/ui';
import { lazy, Suspense, useEffect, useState, type ReactNode } from 'react';
import { fetchJSON } from '../api/stores.ts';
import { Boards, type Board } from '../views/Boards.tsx';
import { useConfig } from './config.ts';
import { usePlace } from './place.ts';
import { useMode } from './theme.tsx';

/** The code of each view, by the first part of its address. */
const code = {
  d: () => import('../views/DashboardView.tsx'),
  trace: () => import('../views/TraceView.tsx'),
  traces: () => import('../views/TracesView.tsx'),
  logs: () => import('../views/LogsView.tsx'),
  profiles: () => import('../views/ProfilesView.tsx'),
};

const DashboardView = lazy(code.d);
const TraceView = lazy(code.trace);
const TracesView = lazy(code.traces);
const LogsView = lazy(code.logs);
const ProfilesView = lazy(code.profiles);

/** fetchView starts to fetch the code of the view at a path, while the page is still being set up. Where it fails, so does the view, which says so. */
export function fetchView(path: string): void {
  const kind = path.split('/')[1];
  if (kind in code) {
    const fetching: Promise<unknown> = code[kind as keyof typeof code]();
    fetching.catch(() => undefined);
  }
}

/** App is the bar at the top and the view that the address names. */
export function App() {
  const styles = useStyles2(getStyles);
  const { path } = usePlace();
  const { mode, toggle } = useMode();
  const { stores } = useConfig();
  const boards = useBoards();
  const links: Array<[string, string, string?]> = [
    ['/', 'Dashboards'],
    ['/traces', 'Traces', 'jaeger'],
    ['/logs', 'Logs', 'loki'],
    ['/profiles', 'Profiles', 'pyroscope'],
  ];
  return (
    <>
      <a className={styles.skip} href="#view" onClick={(e) => { e.preventDefault(); document.getElementById('view')?.focus(); }}>
        Skip to the view
      </a>
      <header className={styles.bar}>
        <a className={styles.name} href="/">
          plumbline
        </a>
        <nav className={styles.nav} aria-label="Views">
          {links
            .filter(([, , store]) => !store || stores.includes(store))
            .map(([to, title]) => (
              <a key={to} href={to} aria-current={current(path, to) ? 'page' : undefined}>
                {title}
              </a>
            ))}
        </nav>
        <IconButton name="adjust-circle" size="lg" tooltip={mode === 'dark' ? 'Light colours' : 'Dark colours'} onClick={toggle} />
      </header>
      <main id="view" className={styles.view} tabIndex={-1}>
        <Suspense fallback={<p className={styles.wait}>Loading …</p>}>{view(path, boards)}</Suspense>
      </main>
    </>
  );
}

function view(path: string, boards: Board[] | Error | undefined): ReactNode {
  const [, kind, id] = path.split('/');
  switch (kind) {
    case '':
      return <Boards boards={boards} />;
    case 'd':
      return <DashboardView key={id} uid={decodeURIComponent(id ?? '')} boards={Array.isArray(boards) ? boards : []} />;
    case 'trace':
      return <TraceView key={id} id={decodeURIComponent(id ?? '')} />;
    case 'traces':
      return <TracesView />;
    case 'logs':
      return <LogsView />;
    case 'profiles':
      return <ProfilesView />;
    default:
      return <p role="alert">There is nothing at {path}.</p>;
  }
}

function current(path: string, to: string): boolean {
  return to === '/' ? path === '/' || path.startsWith('/d/') : path === to || (to === '/traces' && path.startsWith('/trace/'));
}

function useBoards(): Board[] | Error | undefined {
  const [boards, setBoards] = useState<Board[] | Error>();
  useEffect(() => {
    fetchJSON<Board[]>('/api/dashboards').then(setBoards, setBoards);
  }, []);
  return boards;
}

const getStyles = (theme: GrafanaTheme2) => ({
  skip: css({
    position: 'absolute', left: -9999,
    '&:focus': { left: theme.spacing(1), top: theme.spacing(1), zIndex: theme.zIndex.modal, background: theme.colors.background.primary, padding: theme.spacing(1) },
  }),
  bar: css({
    display: 'flex', alignItems: 'center', gap: theme.spacing(2), padding: theme.spacing(0.75, 2), position: 'sticky', top: 0,
    zIndex: theme.zIndex.navbarFixed, background: theme.colors.background.primary, borderBottom: `1px solid ${theme.colors.border.weak}`,
  }),
  name: css({ fontWeight: theme.typography.fontWeightMedium, fontSize: theme.typography.h5.fontSize }),
  nav: css({
    display: 'flex', gap: theme.spacing(0.5), flex: 1, overflowX: 'auto',
    a: {
      padding: theme.spacing(0.5, 1), borderRadius: theme.shape.radius.default, color: theme.colors.text.secondary,
      '&:hover': { background: theme.colors.action.hover },
      '&[aria-current]': { color: theme.colors.text.primary, background: theme.colors.action.selected },
    },
  }),
  view: css({ padding: theme.spacing(2), outline: 'none', [theme.breakpoints.down('md')]: { padding: theme.spacing(1) } }),
  wait: css({ color: theme.colors.text.secondary }),
});
