import { useMemo } from 'react';
import type { PanelProps } from './kinds.ts';
import { LogLines } from './LogLines.tsx';

/** LogsPanel lists log lines. */
export default function LogsPanel({ panel, data }: PanelProps<'logs'>) {
  const o = panel.options;
  const lines = useMemo(() => (o.sortOrder === 'Ascending' ? [...data.lines].reverse() : data.lines), [data.lines, o.sortOrder]);
  return <LogLines lines={lines} showTime={o.showTime ?? true} showLabels={o.showLabels} wrap={o.wrapLogMessage} details={o.enableLogDetails ?? true} small={o.fontSize === 'small'} />;
}
