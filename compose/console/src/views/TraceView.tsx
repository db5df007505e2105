import { css } from '@emotion/css';
import { dateTimeFormat, type GrafanaTheme2 } from '@grafana/data';
import { Alert, LinkButton, useStyles2 } from '@grafana/ui';
import { failed, rootOf, trace as loadTrace, traceDuration, type Trace } from '../api/jaeger.ts';
import { useConfig } from '../app/config.ts';
import { useTask } from '../app/hooks.ts';
import { logsLink } from '../app/links.ts';
import { usePlace } from '../app/place.ts';
import { microseconds } from '../panels/TraceList.tsx';
import { Waterfall } from './Waterfall.tsx';

/** TraceView shows one trace: what called what, when, and for how long. */
export default function TraceView({ id }: { id: string }) {
  const { query } = usePlace();
  const { value: trace, error, loading } = useTask((signal) => loadTrace(id, signal), [id]);
  if (error) {
    return <Alert title="This trace cannot be shown">{error.message}</Alert>;
  }
  if (!trace) {
    return loading ? <p>Loading …</p> : <Alert severity="warning" title={`Jaeger has no trace ${id}`}>The lab keeps traces for six hours; one that has just ended takes a few seconds to arrive.</Alert>;
  }
  return <Opened trace={trace} span={query.get('span') ?? undefined} />;
}

function Opened({ trace, span }: { trace: Trace; span?: string }) {
  const styles = useStyles2(getStyles);
  const config = useConfig();
  const root = rootOf(trace);
  const from = Math.min(...trace.spans.map((s) => s.start)) / 1000;
  const took = traceDuration(trace);
  const errors = trace.spans.filter(failed).length;
  const services = new Set(trace.spans.map((s) => s.service));
  const facts: Array<[string, string]> = [
    ['Took', microseconds(took)],
    ['Began', dateTimeFormat(from, { format: 'YYYY-MM-DD HH:mm:ss.SSS' })],
    ['Spans', String(trace.spans.length)],
    ['Services', String(services.size)],
    ['Errors', String(errors)],
    ['Trace', trace.id],
  ];
  return (
    <>
      <h1 className={styles.title}>
        {root.service}: {root.name}
      </h1>
      <div className={styles.top}>
        <dl className={styles.facts}>
          {facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd data-bad={name === 'Errors' && errors > 0}>{value}</dd>
            </div>
          ))}
        </dl>
        {config.stores.includes('loki') && (
          <LinkButton
            variant="secondary" icon="list-ul"
            href={logsLink(`{${config.serviceLabel}=~".+"} | ${config.logTrace}="${trace.id}"`, { from, to: from + took / 1000 })}
          >
            Logs of this trace
          </LinkButton>
        )}
      </div>
      <Waterfall trace={trace} chosen={span} />
    </>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  title: css({ fontSize: theme.typography.h4.fontSize, margin: 0, overflowWrap: 'anywhere' }),
  top: css({ display: 'flex', flexWrap: 'wrap', alignItems: 'center', gap: theme.spacing(1, 3), margin: theme.spacing(1, 0, 2) }),
  facts: css({
    display: 'flex', flexWrap: 'wrap', gap: theme.spacing(1, 3), margin: 0, dt: { color: theme.colors.text.secondary, fontWeight: 'normal', fontSize: theme.typography.bodySmall.fontSize },
    dd: { margin: 0, overflowWrap: 'anywhere', '&[data-bad=true]': { color: theme.colors.error.text } },
  }),
});
