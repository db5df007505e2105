import { css, cx } from '@emotion/css';
import { dateTimeFormat, type GrafanaTheme2 } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import { useState } from 'react';
import type { Line } from '../api/loki.ts';
import { useConfig } from '../app/config.ts';
import { flameLink, logsLink, traceLink } from '../app/links.ts';

interface Props {
  lines: Line[];
  showTime?: boolean;
  showLabels?: boolean;
  wrap?: boolean;
  details?: boolean;
  small?: boolean;
}

/** Level is how bad a line is, in words that colours are given to. */
type Level = 'critical' | 'error' | 'warning' | 'info' | 'debug' | 'unknown';

const short: Record<Level, string> = { critical: 'crit', error: 'error', warning: 'warn', info: 'info', debug: 'debug', unknown: '-' };

/** levelOf reads a line's level from its labels: Loki's own guess, or the severity that the sender gave. */
export function levelOf(line: Line): Level {
  const text = (line.labels.detected_level ?? line.labels.severity_text ?? line.labels.level ?? '').toLowerCase();
  const number = Number(line.labels.severity_number);
  if (/crit|fatal|emerg|alert|panic/.test(text) || number >= 21) {
    return 'critical';
  }
  if (/err/.test(text) || number >= 17) {
    return 'error';
  }
  if (/warn/.test(text) || number >= 13) {
    return 'warning';
  }
  if (/info|notice/.test(text) || number >= 9) {
    return 'info';
  }
  return /debug|trace/.test(text) || number >= 1 ? 'debug' : 'unknown';
}

/** LogLines lists log lines; each opens to its fields and to what it belongs to. */
export function LogLines({ lines, showTime = true, showLabels, wrap, details = true, small }: Props) {
  const styles = useStyles2(getStyles);
  const { serviceLabel } = useConfig();
  const [open, setOpen] = useState<string>();
  return (
    <ol className={cx(styles.list, small && styles.small)}>
      {lines.map((line, i) => {
        const key = `${line.nanos}-${i}`;
        const level = levelOf(line);
        const inner = (
          <>
            <span className={cx(styles.level, styles[level])} title={level}>
              {short[level]}
            </span>
            {showTime && <time className={styles.time}>{dateTimeFormat(line.time, { format: 'YYYY-MM-DD HH:mm:ss.SSS' })}</time>}
            {showLabels && <span className={styles.label}>{line.labels[serviceLabel]}</span>}
            <span className={wrap ? styles.wrapped : styles.text}>{line.text}</span>
          </>
        );
        return (
          <li key={key} className={styles.item}>
            {details ? (
              <button type="button" className={styles.line} aria-expanded={open === key} onClick={() => setOpen(open === key ? undefined : key)}>
                {inner}
              </button>
            ) : (
              <div className={styles.line}>{inner}</div>
            )}
            {open === key && <Fields line={line} />}
          </li>
        );
      })}
    </ol>
  );
}

function Fields({ line }: { line: Line }) {
  const styles = useStyles2(getStyles);
  const config = useConfig();
  const trace = line.labels[config.logTrace];
  const span = line.labels[config.logSpan];
  const service = line.labels[config.serviceLabel];
  const around = { from: line.time, to: line.time };
  return (
    <div className={styles.fields}>
      <p className={styles.links}>
        {trace && <a href={traceLink(trace, span)}>Open the trace</a>}
        {trace && <a href={logsLink(`{${config.serviceLabel}=~".+"} | ${config.logTrace}="${trace}"`, around)}>All lines of the trace</a>}
        {span && service && <a href={flameLink({ selector: `{${config.serviceLabel}="${service}"}`, spans: [span] }, around)}>Flame graph of the span</a>}
      </p>
      <table>
        <tbody>
          {Object.entries(line.labels).sort().map(([name, value]) => (
            <tr key={name}>
              <th>{name}</th>
              <td>{name === config.logTrace ? <a href={traceLink(value, span)}>{value}</a> : value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => {
  const mark = (color: string) => css({ color, borderLeft: `4px solid ${color}` });
  return {
    list: css({ listStyle: 'none', height: '100%', overflow: 'auto', fontFamily: theme.typography.fontFamilyMonospace, fontSize: theme.typography.bodySmall.fontSize }),
    small: css({ fontSize: 11 }),
    item: css({ borderBottom: `1px solid ${theme.colors.border.weak}` }),
    line: css({
      all: 'unset', display: 'flex', boxSizing: 'border-box', width: '100%', gap: theme.spacing(1), padding: '2px 0', cursor: 'pointer', alignItems: 'baseline',
      '&:hover': { background: theme.colors.action.hover }, '&:focus-visible': { outline: `2px solid ${theme.colors.primary.main}`, outlineOffset: -2 },
    }),
    level: css({ paddingLeft: 6, width: 50, flexShrink: 0, boxSizing: 'border-box' }),
    critical: mark(theme.visualization.getColorByName('purple')),
    error: mark(theme.colors.error.text),
    warning: mark(theme.colors.warning.text),
    info: mark(theme.colors.success.text),
    debug: mark(theme.colors.info.text),
    unknown: mark(theme.colors.text.disabled),
    time: css({ color: theme.colors.text.secondary, flexShrink: 0, [theme.breakpoints.down('sm')]: { maxWidth: 92, overflow: 'hidden', direction: 'rtl', whiteSpace: 'nowrap' } }),
    label: css({ color: theme.colors.text.secondary, flexShrink: 0 }),
    text: css({ whiteSpace: 'nowrap', overflow: 'hidden', textOverflow: 'ellipsis', minWidth: 0 }),
    wrapped: css({ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', minWidth: 0 }),
    fields: css({
      padding: theme.spacing(0.5, 1, 1, 7), background: theme.colors.background.secondary,
      th: { fontWeight: 'normal', color: theme.colors.text.secondary, textAlign: 'left', paddingRight: theme.spacing(2), verticalAlign: 'top' },
      td: { overflowWrap: 'anywhere' }, a: { color: theme.colors.text.link, textDecoration: 'underline' },
    }),
    links: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(2), margin: theme.spacing(0.5, 0), '&:empty': { display: 'none' } }),
  };
};
