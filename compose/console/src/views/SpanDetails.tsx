import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { LinkButton, useStyles2 } from '@grafana/ui';
import { tagOf, type Span, type Tag, type Trace } from '../api/jaeger.ts';
import { useConfig } from '../app/config.ts';
import { flameLink, logsLink, traceLink } from '../app/links.ts';
import { microseconds } from '../panels/TraceList.tsx';

/** SpanDetails is everything that a span says of itself, and the ways to its log lines and its flame graph. */
export function SpanDetails({ trace, span, began, color }: { trace: Trace; span: Span; began: number; color: string }) {
  const styles = useStyles2(getStyles);
  const config = useConfig();
  const window = { from: span.start / 1000, to: (span.start + span.duration) / 1000 };
  const profile = tagOf(span, config.profileId);
  const stream = `{${config.serviceLabel}="${span.service}"}`;
  return (
    <div className={styles.box} style={{ borderLeftColor: color }}>
      <p className={styles.summary}>
        began after {microseconds(span.start - began)}, took {microseconds(span.duration)}, span {span.id}
      </p>
      <div className={styles.links}>
        {config.stores.includes('loki') && (
          <LinkButton size="sm" variant="secondary" icon="list-ul" href={logsLink(`${stream} | ${config.logTrace}="${trace.id}"`, window)}>
            Logs of {span.service} in this trace
          </LinkButton>
        )}
        {config.stores.includes('loki') && (
          <LinkButton size="sm" variant="secondary" icon="list-ul" href={logsLink(`${stream} | ${config.logTrace}="${trace.id}" | ${config.logSpan}="${span.id}"`, window)}>
            Logs of this span
          </LinkButton>
        )}
        {profile && config.stores.includes('pyroscope') && (
          <LinkButton size="sm" variant="secondary" icon="fire" href={flameLink({ selector: stream, spans: [profile] }, window)}>
            Flame graph of this span
          </LinkButton>
        )}
      </div>
      {span.warnings.map((w) => (
        <p key={w} role="note">
          {w}
        </p>
      ))}
      <Tags title="Attributes" tags={span.tags} />
      {span.events.map((e, i) => (
        <Tags key={i} title={`${String(e.fields.find((f) => f.key === 'event')?.value ?? 'Event')} after ${microseconds(e.time - span.start)}`} tags={e.fields.filter((f) => f.key !== 'event')} />
      ))}
      <Tags title="Process" tags={span.process} />
      {span.links.map((l, i) => (
        <p key={i}>
          <a href={traceLink(l.trace, l.span)}>Linked span {l.span}</a> {l.trace === trace.id ? 'of this trace' : `of trace ${l.trace}`}
        </p>
      ))}
    </div>
  );
}

function Tags({ title, tags }: { title: string; tags: Tag[] }) {
  const styles = useStyles2(getStyles);
  if (tags.length === 0) {
    return <h3 className={styles.heading}>{title}</h3>;
  }
  return (
    <>
      <h3 className={styles.heading}>{title}</h3>
      <table className={styles.tags}>
        <tbody>
          {[...tags].sort((a, b) => a.key.localeCompare(b.key)).map((t, i) => (
            <tr key={i}>
              <th>{t.key}</th>
              <td>{String(t.value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  box: css({ borderLeft: '4px solid', padding: theme.spacing(1, 2), margin: theme.spacing(0, 1, 1), a: { color: theme.colors.text.link } }),
  summary: css({ color: theme.colors.text.secondary, margin: 0 }),
  links: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(1), margin: theme.spacing(1, 0), a: { color: 'inherit' } }),
  heading: css({ fontSize: theme.typography.body.fontSize, fontWeight: theme.typography.fontWeightMedium, margin: theme.spacing(1, 0, 0.5) }),
  tags: css({
    fontFamily: theme.typography.fontFamilyMonospace, fontSize: theme.typography.bodySmall.fontSize,
    th: { fontWeight: 'normal', color: theme.colors.text.secondary, textAlign: 'left', paddingRight: theme.spacing(3), verticalAlign: 'top', whiteSpace: 'nowrap' },
    td: { overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' },
    [theme.breakpoints.down('md')]: { th: { whiteSpace: 'normal', overflowWrap: 'anywhere' } },
  }),
});
