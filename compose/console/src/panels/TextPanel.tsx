import { css, cx } from '@emotion/css';
import { renderTextPanelMarkdown } from '@grafana/data';
import type { PanelProps } from './kinds.ts';

/** TextPanel shows Markdown. What could run in the page is taken out of it. */
export default function TextPanel({ panel, replace }: PanelProps<'text'>) {
  const html = renderTextPanelMarkdown(replace(panel.options.content ?? ''));
  return <div className={cx('markdown-html', css({ height: '100%', overflow: 'auto' }))} tabIndex={0} role="note" dangerouslySetInnerHTML={{ __html: html }} />;
}
