using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Transcripts;
using AsrPlatform.Whisper;
using AsrPlatform.Whisper.Decoding;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr transcribe FILE…</c>: files to text.</summary>
internal static class TranscribeCommand
{
    public static Command Create()
    {
        var files = new Argument<string[]>("FILE") { Description = "audio files (any format that ffmpeg reads); - is stdin", Arity = ArgumentArity.OneOrMore };
        var model = new ModelOptions();
        var decoding = new DecodingOptions();
        var format = new Option<string>("--format") { Description = "txt, json, srt or vtt", HelpName = "FORMAT", DefaultValueFactory = _ => "txt" };
        format.AcceptOnlyFromAmong([.. TranscriptFormat.Names]);
        var outputDirectory = new Option<string?>("--output-dir") { Description = "writes DIR/<name>.<format> a file; default: stdout", HelpName = "DIR" };
        var quiet = new Option<bool>("--quiet") { Description = "no progress on stderr" };

        var command = new Command("transcribe", "Transcribes audio files.");
        command.Arguments.Add(files);
        model.AddTo(command);
        decoding.AddTo(command);
        command.Options.Add(format);
        command.Options.Add(outputDirectory);
        command.Options.Add(quiet);
        command.SetAction((parsed, cancellationToken) =>
        {
            var job = new Job(
                parsed.GetValue(files)!,
                parsed.GetValue(format)!,
                parsed.GetValue(outputDirectory),
                Progress: !parsed.GetValue(quiet) && !Console.IsErrorRedirected);
            var options = decoding.Read(parsed);
            return model.UseRecognizerAsync(parsed, recognizer => job.Run(recognizer, options, cancellationToken), cancellationToken);
        });
        return command;
    }

    private sealed record Job(string[] Files, string Format, string? OutputDirectory, bool Progress)
    {
        public int Run(ISpeechRecognizer recognizer, TranscriptionOptions options, CancellationToken cancellationToken)
        {
            var targets = Targets();
            var failed = 0;
            if (Files.Length > 1 && recognizer is WhisperRecognizer whisper && whisper.BatchesFiles(options))
            {
                TranscribeTogether(whisper, options, (index, file) => Finish(index, file.Result, file.Error), cancellationToken);
                return failed == 0 ? 0 : 1;
            }

            for (var index = 0; index < Files.Length; index++)
            {
                try
                {
                    Finish(index, Transcribe(recognizer, Files[index], options, cancellationToken), null);
                }
                catch (AsrException error)
                {
                    Finish(index, null, error);
                }
            }

            return failed == 0 ? 0 : 1;

            // One broken file does not cost the others.
            void Finish(int index, TranscriptionResult? result, AsrException? error)
            {
                try
                {
                    Write(index, targets?[index], result ?? throw error!);
                }
                catch (AsrException problem)
                {
                    failed++;
                    Console.Error.WriteLine($"asr: {problem.Message}");
                }
            }
        }

        private void Write(int index, string? target, TranscriptionResult result)
        {
            var text = TranscriptFormat.Write(result, Format);
            if (target is not null)
            {
                AtomicFile.Write(target, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
                return;
            }

            var header = Files.Length > 1 && Format != "json" ? $"==> {Files[index]} <==\n" : "";
            Console.Out.Write(header + text);
            Console.Out.Flush();
        }

        private void TranscribeTogether(
            WhisperRecognizer recognizer, TranscriptionOptions options, Action<int, FileTranscription> finished, CancellationToken cancellationToken)
        {
            var opened = new AudioFile?[Files.Length];
            var sources = Files.Select((path, index) => new DeferredAudioSource(recognizer.Info.SampleRateHz, () =>
            {
                var file = AudioFile.Open(path);
                opened[index] = file;
                return (file, file);
            }));
            _ = ProgressBar.Run("transcribe", quiet: !Progress, report =>
            {
                recognizer.TranscribeMany(
                    sources,
                    options,
                    (index, file) =>
                    {
                        finished(index, file);
                        Warn(opened[index]);
                        report((index + 1) / (double)Files.Length, $"{index + 1}/{Files.Length} files");
                    },
                    cancellationToken: cancellationToken);
                return 0;
            });
        }

        private TranscriptionResult Transcribe(ISpeechRecognizer recognizer, string path, TranscriptionOptions options, CancellationToken cancellationToken)
        {
            using var file = AudioFile.Open(path);
            var audio = ResampledAudioSource.At(file, recognizer.Info.SampleRateHz);
            var result = Progress
                ? WithProgress(Path.GetFileName(path), report => recognizer.Transcribe(audio, options, report, cancellationToken))
                : recognizer.Transcribe(audio, options, null, cancellationToken);
            Warn(file);
            return result;
        }

        private static void Warn(AudioFile? file)
        {
            if (file?.Warning is { } warning)
            {
                Console.Error.WriteLine($"asr: warning: {warning}");
            }
        }

        /// <summary>Where each file's text goes, checked before the work starts; null for stdout.</summary>
        private string[]? Targets()
        {
            if (OutputDirectory is null)
            {
                return null;
            }

            try
            {
                Directory.CreateDirectory(OutputDirectory);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw new AsrException($"--output-dir {OutputDirectory}: {error.Message}", error);
            }

            var targets = Files.Select(file => Path.Combine(OutputDirectory, $"{(file == "-" ? "stdin" : Path.GetFileNameWithoutExtension(file))}.{Format}")).ToArray();
            var twice = targets.GroupBy(target => target, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1);
            if (twice is not null)
            {
                throw new AsrException($"several files would be written to {twice.Key}: transcribe them into different folders");
            }

            return targets;
        }

        private static TranscriptionResult WithProgress(string name, Func<Action<TranscriptionProgress>, TranscriptionResult> work) =>
            ProgressBar.Run(name, quiet: false, report =>
            {
                var clock = Stopwatch.StartNew();
                return work(progress => report(
                    progress.TotalSeconds is > 0 and { } total ? progress.DoneSeconds / total : double.NaN,
                    string.Create(CultureInfo.InvariantCulture, $"{progress.DoneSeconds / Math.Max(clock.Elapsed.TotalSeconds, 1e-3):0.0}× real time")));
            });
    }
}
