import { writeAll, writeWhole } from '../files/whole.ts';
import { renderReport } from './page.ts';
import type { Report } from './report.ts';

export { usualOf } from './cells.ts';
export { previewsOf } from './preview.ts';
export type { Preview, Report, ReportArm } from './report.ts';
export { type LiveReport, serveReport } from './serve.ts';

/** Writes a run's page, completely or not at all. @throws LossgraftError `write-failed` */
export function writeReport(path: string, report: Report): void {
  writeWhole(path, (fd) => writeAll(fd, Buffer.from(renderReport(report))));
}
