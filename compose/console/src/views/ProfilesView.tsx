import { css } from '@emotion/css';
import { dateTimeFormat, type GrafanaTheme2, type TimeRange } from '@grafana/data';
import { Alert, Button, Combobox, InlineField, InlineSwitch, Input, useStyles2 } from '@grafana/ui';
import { useMemo, useState, type FormEvent } from 'react';
import { CPU, diff, flame, labelValues, totals, types as askTypes } from '../api/pyroscope.ts';
import { useConfig } from '../app/config.ts';
import { useTask, useTick } from '../app/hooks.ts';
import { change, rawRange, timeRange, usePlace } from '../app/place.ts';
import { Flame } from '../panels/Flame.tsx';
import { TimeControls } from './TimeControls.tsx';

/**
 * ProfilesView draws the flame graph of a service, of single spans, or of what
 * changed: with a second selector, or else between the first and the second
 * half of the time range.
 */
export default function ProfilesView() {
  const styles = useStyles2(getStyles);
  const { serviceLabel } = useConfig();
  const { query } = usePlace();
  const [tick, again] = useTick(undefined);
  const raw = rawRange(query, { from: 'now-15m', to: 'now' });
  const range = useMemo(() => timeRange(raw), [String(raw.from), String(raw.to), tick]);
  const scope = { from: range.from.valueOf(), to: range.to.valueOf() };
  const types = useTask((signal) => askTypes({ ...scope, signal }), [range]);
  const services = useTask((signal) => labelValues(serviceLabel, { ...scope, signal }), [range]);
  const type = query.get('type') ?? CPU;
  const first = services.value?.find((s) => s === 'api') ?? services.value?.[0];
  const selector = query.get('selector') ?? (first && `{${serviceLabel}="${first}"}`);
  const other = query.get('other') ?? '';
  const comparing = query.get('diff') === '1';
  const spans = query.getAll('span');
  const graph = useTask(
    selector
      ? (signal) => {
          const profile = { type, selector, spans: spans.length > 0 ? spans : undefined };
          if (!comparing) {
            return flame(profile, { ...scope, signal });
          }
          const half = Math.floor((scope.from + scope.to) / 2); // Pyroscope wants whole milliseconds
          return other
            ? diff(profile, { ...scope, signal }, { type, selector: other }, { ...scope, signal })
            : diff(profile, { from: scope.from, to: half, signal }, profile, { from: half, to: scope.to, signal });
        }
      : undefined,
    [type, selector, other, comparing, spans.join(), range]
  );
  const error = types.error ?? services.error ?? graph.error;
  const { left, right } = graph.value ? totals(graph.value) : { left: 0, right: 0 };
  return (
    <>
      <div className={styles.top}>
        <h1 className={styles.title}>{spans.length > 0 ? 'Profile of a span' : comparing ? 'Profiles compared' : 'Profiles'}</h1>
        <TimeControls range={range} again={again} loading={graph.loading} />
      </div>
      <div className={styles.form}>
        <InlineField label="Service" htmlFor="profile-service">
          <Combobox
            id="profile-service" width={20} options={(services.value ?? []).map((s) => ({ value: s, label: s }))}
            value={services.value?.find((s) => selector === `{${serviceLabel}="${s}"}`) ?? null}
            onChange={(o) => change({ selector: `{${serviceLabel}="${o.value}"}`, span: undefined })}
          />
        </InlineField>
        <InlineField label="Profile" htmlFor="profile-type">
          <Combobox id="profile-type" width={36} options={[...new Set([type, ...(types.value ?? [])])].map((t) => ({ value: t, label: typeName(t) }))} value={type} onChange={(o) => change({ type: o.value, span: undefined })} />
        </InlineField>
        <InlineField label="Compare">
          <InlineSwitch value={comparing} onChange={(e) => change({ diff: e.currentTarget.checked ? '1' : undefined, span: undefined })} aria-label="Compare two profiles" />
        </InlineField>
      </div>
      <Selectors key={`${selector}${other}`} selector={selector ?? ''} other={other} comparing={comparing} />
      {comparing && <p className={styles.note}>{legend(range, other)}</p>}
      {comparing && graph.value && (left === 0) !== (right === 0) && (
        <p className={styles.note} role="status" data-one-sided>
          {left === 0 ? 'The left side, the baseline,' : 'The right side'} has no sample, so there is nothing to compare: the graph shows the other side alone.
          {!other && ' Choose a time range that the service has been running in.'}
        </p>
      )}
      {spans.length > 0 && <p className={styles.note}>Processor time of span {spans.join(', ')} alone. A sampler of 100 Hz sees a span only while it computes: one that waits has no samples.</p>}
      {error ? (
        <Alert title="This profile cannot be shown">{error.message}</Alert>
      ) : graph.value && left + right === 0 ? (
        <p data-flame="empty">No sample matches in this time range. Profiles are uploaded every 15 seconds.</p>
      ) : (
        graph.value && (
          <div className={styles.graph} data-flame={graph.value.length}>
            <Flame key={comparing ? 'diff' : 'one'} frame={graph.value} sticky />
          </div>
        )
      )}
    </>
  );
}

/** typeName shortens a profile type to what tells it apart. */
function typeName(type: string): string {
  const [group, sample, unit] = type.split(':');
  return group.startsWith(sample) ? `${sample} (${unit})` : `${group} ${sample} (${unit})`;
}

function legend(range: TimeRange, other: string): string {
  if (other) {
    return 'Left, the baseline: the first selector. Right: the second. Red has grown, green has shrunk.';
  }
  const at = dateTimeFormat((range.from.valueOf() + range.to.valueOf()) / 2, { format: 'HH:mm:ss' });
  return `Left, the baseline: before ${at}. Right: after it. Red has grown, green has shrunk.`;
}

function Selectors(first: { selector: string; other: string; comparing: boolean }) {
  const styles = useStyles2(getStyles);
  const [selector, setSelector] = useState(first.selector);
  const [other, setOther] = useState(first.other);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change({ selector, other: other || undefined, span: undefined });
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      <InlineField label="Selector" htmlFor="selector">
        <Input id="selector" value={selector} width={50} onChange={(e) => setSelector(e.currentTarget.value)} spellCheck={false} />
      </InlineField>
      {first.comparing && (
        <InlineField label="Compared with" htmlFor="other">
          <Input id="other" value={other} width={50} placeholder="empty: first half with second half" onChange={(e) => setOther(e.currentTarget.value)} spellCheck={false} />
        </InlineField>
      )}
      <Button type="submit">Run</Button>
    </form>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  top: css({ display: 'flex', flexWrap: 'wrap', alignItems: 'center', justifyContent: 'space-between', gap: theme.spacing(1), marginBottom: theme.spacing(1) }),
  title: css({ fontSize: theme.typography.h4.fontSize, margin: 0 }),
  form: css({ display: 'flex', flexWrap: 'wrap' }),
  note: css({ color: theme.colors.text.secondary, margin: theme.spacing(0, 0, 1) }),
  graph: css({ background: theme.colors.background.primary, border: `1px solid ${theme.colors.border.weak}`, padding: theme.spacing(1) }),
});
