export { createRecordingReporter as recordingReporter, type RecordingReporter } from '../../src/testkit/recording-reporter.js';
