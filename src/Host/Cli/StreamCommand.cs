using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Serving;
using AsrPlatform.Host.Settings;
using AsrPlatform.Host.Transcripts;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr stream FILE</c>: a live session from a file or a microphone, with its events and their latency.</summary>
internal static class StreamCommand
{
    public static Command Create()
    {
        var file = new Argument<string?>("FILE") { Description = "an audio file (any format that ffmpeg reads)", Arity = ArgumentArity.ZeroOrOne };
        var microphone = new Option<string?>("--microphone") { Description = "speak in place of a file; a name or id that 'asr doctor' lists, default: the system's own; Ctrl-C ends", HelpName = "DEVICE", Arity = ArgumentArity.ZeroOrOne };
        var url = new Option<string?>("--url") { Description = "a running host, such as http://127.0.0.1:5080; default: a session in this process", HelpName = "URL" };
        var apiKey = new Option<string?>("--api-key") { Description = "the key of a host that asks for one; better: ASR_API_KEY, which other users of the machine do not see", HelpName = "KEY" };
        var pace = new Option<double>("--pace") { Description = "seconds of audio sent a second; 0 is as fast as it is taken", HelpName = "X", DefaultValueFactory = _ => 1.0 };
        var language = new Option<string?>("--language") { Description = "language code; default: detected", HelpName = "xx" };
        var task = new Option<string>("--task") { Description = "transcribe or translate", HelpName = "TASK", DefaultValueFactory = _ => "transcribe" };
        task.AcceptOnlyFromAmong("transcribe", "translate");
        var hotwords = new HotwordOptions();
        var json = new Option<bool>("--json") { Description = "one JSON object a line: session, each caption, end" };
        var model = new ModelOptions();

        var command = new Command("stream", "Plays a file, or a microphone, into a live session and shows its captions.");
        command.Arguments.Add(file);
        command.Options.Add(microphone);
        command.Options.Add(url);
        command.Options.Add(apiKey);
        command.Options.Add(pace);
        command.Options.Add(language);
        command.Options.Add(task);
        hotwords.AddTo(command);
        command.Options.Add(json);
        model.AddTo(command);
        pace.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0
                && !(double.TryParse(result.Tokens[0].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value is >= 0 and <= 1000))
            {
                result.AddError("--pace must be 0 … 1000");
            }
        });
        command.Validators.Add(result =>
        {
            if ((result.GetResult(file)?.Tokens.Count > 0) == (result.GetResult(microphone) is not null))
            {
                result.AddError("give a FILE or --microphone");
            }
        });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            // Who plays a file to a host elsewhere needs neither a model nor plugins.
            var loading = parsed.GetValue(url) is null ? model.Read(parsed) with { IsLive = true } : null;
            await using var plugins = loading is not null || parsed.GetResult(microphone) is not null ? model.Plugins.Load(parsed) : null;
            using var source = parsed.GetResult(microphone) is null
                ? Source.File(AudioFile.Open(parsed.GetValue(file)!), parsed.GetValue(pace), cancellationToken)
                : Source.Microphone(Microphone.Open(plugins!, parsed.GetValue(microphone)), cancellationToken);
            var request = new StartSessionRequest { Language = parsed.GetValue(language), Task = parsed.GetValue(task), Hotwords = hotwords.Read(parsed) is { Count: > 0 } words ? words : null };
            ISink sink = parsed.GetValue(json) ? new JsonSink(Console.Out) : new TextSink(Console.Out);
            if (parsed.GetValue(url) is { } address)
            {
                if (!Uri.TryCreate(address, UriKind.Absolute, out var host) || (host.Scheme != Uri.UriSchemeHttp && host.Scheme != Uri.UriSchemeHttps))
                {
                    throw new AsrException($"--url {address}: give an address such as http://127.0.0.1:5080");
                }

                await using var client = await LiveClient.ConnectAsync(host, cancellationToken, parsed.GetValue(apiKey) ?? Environment.GetEnvironmentVariable("ASR_API_KEY"));
                await RunAsync(client, source, request, sink);
                return 0;
            }

            var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
            HostConfiguration.Apply(builder.Configuration, dataDirectory: null, file: null, settings: []);
            builder.Services.AddLive(() => RecognizerLoader.Load(plugins!, loading!, cancellationToken), builder.Configuration);
            SettingsCheck.Require(builder.Services, builder.Configuration);
            using var live = builder.Build();
            await live.StartAsync(cancellationToken);
            try
            {
                await using var client = await LiveClient.ConnectAsync(live.Services, cancellationToken);
                await RunAsync(client, source, request, sink);
            }
            finally
            {
                await live.StopAsync(CancellationToken.None);
            }

            return 0;
        });
        return command;
    }

    private static async Task RunAsync(LiveClient client, Source source, StartSessionRequest request, ISink sink)
    {
        var run = new LiveRun(client, TimeProvider.System);
        var result = await run.RunAsync(source.Audio, request, source.Pace, sink.Started, sink.Seen, source.Cancelled);
        sink.Ended(result);
    }

    /// <summary>What is played.</summary>
    /// <param name="Audio">The audio; disposed with this.</param>
    /// <param name="Pace">Seconds of it sent a second; 0: as it comes.</param>
    /// <param name="Cancelled">Stops the run where it is.</param>
    /// <param name="Ending">What else ends with this.</param>
    private sealed record Source(IAudioSource Audio, double Pace, CancellationToken Cancelled, IDisposable? Ending = null) : IDisposable
    {
        public static Source File(IAudioSource audio, double pace, CancellationToken cancelled) => new(audio, pace, cancelled);

        /// <summary>Ctrl-C ends what is said: the session goes on to its last word.</summary>
        public static Source Microphone(Microphone microphone, CancellationToken cancelled) =>
            new(microphone, 0, CancellationToken.None, cancelled.Register(microphone.Stop));

        public void Dispose()
        {
            Ending?.Dispose();
            (Audio as IDisposable)?.Dispose();
        }
    }

    /// <summary>Where events go.</summary>
    private interface ISink
    {
        void Started(SessionPosition session);

        void Seen(SeenCaption caption);

        void Ended(LiveRunResult result);
    }

    /// <summary>Latency of the updates of one state, in seconds.</summary>
    private sealed record LatencySummary(int Count, double? Median, double? P95, double? Maximum)
    {
        public static LatencySummary Of(IEnumerable<SeenCaption> seen, CaptionState state)
        {
            var seconds = seen.Where(caption => caption.Update.State == state).Select(caption => caption.Latency.TotalSeconds).Order().ToArray();
            return seconds.Length == 0
                ? new LatencySummary(0, null, null, null)
                : new LatencySummary(seconds.Length, At(0.5), At(0.95), Math.Round(seconds[^1], 3));

            double At(double share) => Math.Round(seconds[(int)Math.Ceiling(share * seconds.Length) - 1], 3);
        }

        public override string ToString() => Count == 0
            ? "none"
            : string.Create(CultureInfo.InvariantCulture, $"{Count}, latency {Median:0.00} s median, {P95:0.00} s p95, {Maximum:0.00} s at most");
    }

    private sealed class TextSink(TextWriter output) : ISink
    {
        public void Started(SessionPosition session) => output.WriteLine($"session {session.SessionId}");

        public void Seen(SeenCaption caption)
        {
            var mark = caption.Update.State switch
            {
                CaptionState.Tentative => '~',
                CaptionState.Committed => '=',
                _ => '!',
            };
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{caption.At.TotalSeconds,8:0.00} s  +{caption.Latency.TotalSeconds:0.00} s  {mark} [{caption.Update.SegmentId}] {caption.Update.Text}"));
        }

        public void Ended(LiveRunResult result)
        {
            output.WriteLine();
            foreach (var text in CaptionJoin.Utterances(result.Captions))
            {
                output.WriteLine(text);
            }

            output.WriteLine();
            output.WriteLine($"tentative: {LatencySummary.Of(result.Seen, CaptionState.Tentative)}");
            output.WriteLine($"committed: {LatencySummary.Of(result.Seen, CaptionState.Committed)}");
        }
    }

    private sealed class JsonSink(TextWriter output) : ISink
    {
        public void Started(SessionPosition session) => Write(new { @event = "session", session.SessionId });

        public void Seen(SeenCaption caption) => Write(new
        {
            @event = "caption",
            atSeconds = Math.Round(caption.At.TotalSeconds, 3),
            latencySeconds = Math.Round(caption.Latency.TotalSeconds, 3),
            caption.Update,
        });

        public void Ended(LiveRunResult result) => Write(new
        {
            @event = "end",
            result.SessionId,
            text = string.Join(' ', result.Captions.Where(caption => caption.Text.Length > 0).Select(caption => caption.Text)),
            tentativeLatencySeconds = LatencySummary.Of(result.Seen, CaptionState.Tentative),
            committedLatencySeconds = LatencySummary.Of(result.Seen, CaptionState.Committed),
        });

        private void Write<T>(T value) => output.WriteLine(JsonSerializer.Serialize(value, JsonSerializerOptions.Web));
    }
}
