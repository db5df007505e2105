import { css } from '@emotion/css';
import { dateTimeFormat, formattedValueToString, getValueFormat, type GrafanaTheme2 } from '@grafana/data';
import { Drawer, useStyles2 } from '@grafana/ui';
import type { Exemplar } from '../api/prometheus.ts';
import { useConfig } from '../app/config.ts';
import { traceLink } from '../app/links.ts';

/** ExemplarList is a panel's single requests as a list, slowest first: the way to their traces without a mouse. */
export default function ExemplarList({ title, exemplars, unit, close }: { title: string; exemplars: Exemplar[]; unit?: string; close: () => void }) {
  const styles = useStyles2(getStyles);
  const { exemplarTrace } = useConfig();
  const format = getValueFormat(unit ?? 's');
  const slowest = [...exemplars].sort((a, b) => b.value - a.value).slice(0, 100);
  return (
    <Drawer title={`${title}: single requests`} subtitle="Slowest first. Each opens its trace." onClose={close} size="md">
      <table className={styles.table}>
        <thead>
          <tr>
            <th>Took</th>
            <th>At</th>
            <th>What</th>
          </tr>
        </thead>
        <tbody>
          {slowest.map((e, i) => (
            <tr key={i}>
              <td>
                <a href={traceLink(e.labels[exemplarTrace] ?? '')}>{formattedValueToString(format(e.value))}</a>
              </td>
              <td>{dateTimeFormat(e.time, { format: 'HH:mm:ss' })}</td>
              <td>{Object.entries(e.series).filter(([n]) => /method|route|status/.test(n)).map(([, v]) => v).join(' ')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Drawer>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  table: css({
    width: '100%', 'th, td': { textAlign: 'left', padding: theme.spacing(0.5, 1), borderBottom: `1px solid ${theme.colors.border.weak}` },
    a: { color: theme.colors.text.link, textDecoration: 'underline' },
  }),
});
