import { Waterfall } from '../views/Waterfall.tsx';
import type { PanelProps } from './kinds.ts';
import { TraceList } from './TraceList.tsx';

/** TracesPanel draws the trace that was asked for, or lists those that a search has found. */
export default function TracesPanel({ data, height }: PanelProps<'traces'>) {
  return data.single ? (
    <div style={{ height, overflow: 'auto' }}>
      <Waterfall trace={data.traces[0]} />
    </div>
  ) : (
    <TraceList traces={data.traces} />
  );
}
