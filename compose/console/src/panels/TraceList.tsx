import { css } from '@emotion/css';
import { dateTimeFormat, formattedValueToString, getValueFormat, type GrafanaTheme2 } from '@grafana/data';
import { useStyles2, useTheme2 } from '@grafana/ui';
import { failed, rootOf, traceDuration, type Trace } from '../api/jaeger.ts';
import { traceLink } from '../app/links.ts';

/** microseconds writes a duration as Grafana does. */
export function microseconds(us: number): string {
  return formattedValueToString(getValueFormat('µs')(us));
}

/** TraceList lists traces, the newest first, with a bar for how long each took. */
export function TraceList({ traces }: { traces: Trace[] }) {
  const styles = useStyles2(getStyles);
  const theme = useTheme2();
  const longest = Math.max(...traces.map(traceDuration), 1);
  return (
    <div className={styles.scroll}>
      <table className={styles.table}>
        <thead>
          <tr>
            <th>Trace</th>
            <th>Began</th>
            <th>Took</th>
            <th className={styles.number}>Spans</th>
            <th className={styles.number}>Errors</th>
          </tr>
        </thead>
        <tbody>
          {traces.map((t) => {
            const root = rootOf(t);
            const took = traceDuration(t);
            const errors = t.spans.filter(failed).length;
            return (
              <tr key={t.id}>
                <td>
                  <a href={traceLink(t.id)}>
                    {root.service}: {root.name}
                  </a>
                </td>
                <td className={styles.plain}>{dateTimeFormat(root.start / 1000, { format: 'MM-DD HH:mm:ss' })}</td>
                <td className={styles.plain} style={{ backgroundImage: `linear-gradient(${theme.colors.primary.transparent}, ${theme.colors.primary.transparent})`, backgroundRepeat: 'no-repeat', backgroundSize: `${(took / longest) * 100}% 100%` }}>
                  {microseconds(took)}
                </td>
                <td className={styles.number}>{t.spans.length}</td>
                <td className={styles.number} style={{ color: errors > 0 ? theme.colors.error.text : undefined }}>
                  {errors}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  scroll: css({ height: '100%', overflow: 'auto' }),
  table: css({
    width: '100%', 'th, td': { textAlign: 'left', padding: theme.spacing(0.5, 1), borderBottom: `1px solid ${theme.colors.border.weak}` },
    th: { color: theme.colors.text.secondary, fontWeight: theme.typography.fontWeightMedium, position: 'sticky', top: 0, background: theme.colors.background.primary },
    a: { color: theme.colors.text.link, '&:hover': { textDecoration: 'underline' } },
  }),
  plain: css({ whiteSpace: 'nowrap' }),
  number: css({ '&&': { textAlign: 'right' } }),
});
