import { TableNG } from '@grafana/ui/unstable';
import { cacheFieldDisplayNames } from '@grafana/data';
import { TableCellHeight } from '@grafana/schema';
import { useMemo } from 'react';
import type { PanelProps } from './kinds.ts';

/** TablePanel shows the rows of one frame. */
export default function TablePanel({ panel, data, frames, width, height }: PanelProps<'table'>) {
  const o = panel.options;
  const wanted = frames[o.frameIndex ?? 0];
  const frame = wanted?.length > 0 ? wanted : frames.find((f) => f.length > 0)!;
  // The table heads and sorts its columns by the names that are kept there.
  useMemo(() => cacheFieldDisplayNames(frames), [frames]);
  const sort = useMemo(() => (o.sortBy ?? []).map((s) => ({ displayName: s.displayName ?? '', desc: s.desc })), [o.sortBy]);
  return (
    <TableNG
      data={frame} width={width} height={height} noHeader={o.showHeader === false} sortBy={sort} cellHeight={(o.cellHeight as TableCellHeight) ?? TableCellHeight.Sm}
      enablePagination={o.enablePagination ?? o.footer?.enablePagination} timeRange={data.range} fieldConfig={panel.fieldConfig}
      // The other way makes code out of text, which the page's content security policy does not allow.
      protoParserEnabled
    />
  );
}
