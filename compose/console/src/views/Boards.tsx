import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Alert, useStyles2 } from '@grafana/ui';

/** Board is a dashboard as the list shows it. */
export interface Board {
  uid: string;
  title: string;
  description?: string;
  tags: string[];
  error?: string;
}

/** Boards lists the dashboards that are committed. */
export function Boards({ boards }: { boards: Board[] | Error | undefined }) {
  const styles = useStyles2(getStyles);
  if (boards === undefined) {
    return null;
  }
  if (boards instanceof Error) {
    return <Alert title="The list of dashboards cannot be read">{boards.message}</Alert>;
  }
  return (
    <>
      <h1 className={styles.title}>Dashboards</h1>
      {boards.length === 0 && <p>There is no dashboard in dashboards/generated: write them with `make generate`.</p>}
      <ul className={styles.list}>
        {boards.map((b) => (
          <li key={b.uid} className={styles.item}>
            <a href={`/d/${b.uid}`}>{b.title}</a>
            <p>{b.error ? `This file is not a dashboard: ${b.error}` : b.description}</p>
          </li>
        ))}
      </ul>
    </>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  title: css({ fontSize: theme.typography.h3.fontSize }),
  list: css({ listStyle: 'none', display: 'grid', gap: theme.spacing(1), gridTemplateColumns: 'repeat(auto-fill, minmax(min(360px, 100%), 1fr))' }),
  item: css({
    background: theme.colors.background.primary, border: `1px solid ${theme.colors.border.weak}`, borderRadius: theme.shape.radius.default,
    padding: theme.spacing(2),
    a: { fontSize: theme.typography.h5.fontSize, fontWeight: theme.typography.fontWeightMedium, color: theme.colors.text.link },
    p: { margin: theme.spacing(0.5, 0, 0), color: theme.colors.text.secondary },
  }),
});
