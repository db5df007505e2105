import { getDisplayValueAlignmentFactors, getFieldDisplayValues, VizOrientation, type DisplayValueAlignmentFactors, type FieldDisplay } from '@grafana/data';
import { BarGaugeDisplayMode, BarGaugeNamePlacement, BarGaugeValueMode } from '@grafana/schema';
import { BarGauge, DataLinksContextMenu, useTheme2, VizRepeater, type VizRepeaterRenderValueProps } from '@grafana/ui';
import type { PanelProps } from './kinds.ts';
import { reduced } from './reduced.ts';

/** BarGaugePanel shows one bar for each number. */
export default function BarGaugePanel({ panel, frames, width, height, replace }: PanelProps<'bargauge'>) {
  const theme = useTheme2();
  const o = panel.options;
  const values = () =>
    getFieldDisplayValues({ fieldConfig: panel.fieldConfig, reduceOptions: reduced(o.reduceOptions), replaceVariables: replace, theme, data: frames, timeZone: 'browser' });
  const one = ({ value, width: w, height: h, orientation, alignmentFactors }: VizRepeaterRenderValueProps<FieldDisplay, DisplayValueAlignmentFactors>) => {
    const bar = (onClick?: unknown, className?: string) => (
      <BarGauge
        value={value.display} width={w} height={h} orientation={orientation} field={value.field} display={value.view?.getFieldDisplayProcessor(value.colIndex!)}
        theme={theme} itemSpacing={8} lcdCellWidth={12} displayMode={(o.displayMode as BarGaugeDisplayMode) ?? BarGaugeDisplayMode.Gradient} text={o.text}
        showUnfilled={o.showUnfilled ?? true} valueDisplayMode={(o.valueMode as BarGaugeValueMode) ?? BarGaugeValueMode.Color} alignmentFactors={alignmentFactors}
        namePlacement={(o.namePlacement as BarGaugeNamePlacement) ?? BarGaugeNamePlacement.Auto} onClick={onClick as never} className={className}
      />
    );
    return value.hasLinks && value.getLinks ? (
      <DataLinksContextMenu links={value.getLinks} style={{ height: '100%' }}>
        {({ openMenu, targetClassName }) => bar(openMenu, targetClassName)}
      </DataLinksContextMenu>
    ) : (
      bar()
    );
  };
  const manual = o.sizing === 'manual';
  return (
    <VizRepeater
      getValues={values} getAlignmentFactors={getDisplayValueAlignmentFactors} renderValue={one} width={width} height={height} source={frames} renderCounter={0}
      itemSpacing={8} orientation={(o.orientation as VizOrientation) ?? VizOrientation.Auto} minVizWidth={manual ? o.minVizWidth : 8} minVizHeight={manual ? o.minVizHeight : 16}
      maxVizHeight={manual ? o.maxVizHeight : 300}
    />
  );
}
