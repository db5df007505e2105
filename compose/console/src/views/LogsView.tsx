import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Alert, Button, Input, useStyles2 } from '@grafana/ui';
import { useMemo, useState, type FormEvent } from 'react';
import { lines as askLines } from '../api/loki.ts';
import { useConfig } from '../app/config.ts';
import { useTask, useTick } from '../app/hooks.ts';
import { change, rawRange, timeRange, usePlace } from '../app/place.ts';
import { LogLines } from '../panels/LogLines.tsx';
import { TimeControls } from './TimeControls.tsx';

const limit = 1000;

/** LogsView shows the lines of a log query, the newest first. */
export default function LogsView() {
  const styles = useStyles2(getStyles);
  const config = useConfig();
  const { query } = usePlace();
  const expr = query.get('expr') ?? `{${config.serviceLabel}=~".+"}`;
  const [tick, again] = useTick(undefined);
  const raw = rawRange(query, { from: 'now-15m', to: 'now' });
  const range = useMemo(() => timeRange(raw), [String(raw.from), String(raw.to), tick]);
  const { value: lines, error, loading } = useTask(
    (signal) => askLines(expr, limit, { from: range.from.valueOf(), to: range.to.valueOf(), signal }),
    [expr, range]
  );
  return (
    <>
      <div className={styles.top}>
        <h1 className={styles.title}>Logs</h1>
        <TimeControls range={range} again={again} loading={loading} />
      </div>
      <Query key={expr} expr={expr} />
      {error ? (
        <Alert title="These logs cannot be shown">{error.message}</Alert>
      ) : lines && lines.length === 0 ? (
        <p>No line matches in this time range. A line that has just been written takes a few seconds to arrive.</p>
      ) : (
        lines && (
          <>
            <p className={styles.count}>{lines.length >= limit ? `The newest ${limit} lines; there may be more.` : `${lines.length} lines`}</p>
            <div className={styles.lines} data-lines={lines.length}>
              <LogLines lines={lines} showLabels wrap />
            </div>
          </>
        )
      )}
    </>
  );
}

function Query({ expr }: { expr: string }) {
  const styles = useStyles2(getStyles);
  const [text, setText] = useState(expr);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change({ expr: text });
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      <Input value={text} onChange={(e) => setText(e.currentTarget.value)} aria-label="LogQL" spellCheck={false} />
      <Button type="submit">Run</Button>
    </form>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  top: css({ display: 'flex', flexWrap: 'wrap', alignItems: 'center', justifyContent: 'space-between', gap: theme.spacing(1), marginBottom: theme.spacing(1) }),
  title: css({ fontSize: theme.typography.h4.fontSize, margin: 0 }),
  form: css({ display: 'flex', gap: theme.spacing(1), input: { fontFamily: theme.typography.fontFamilyMonospace } }),
  count: css({ color: theme.colors.text.secondary, margin: theme.spacing(1, 0) }),
  lines: css({ background: theme.colors.background.primary, border: `1px solid ${theme.colors.border.weak}`, padding: theme.spacing(0.5) }),
});
