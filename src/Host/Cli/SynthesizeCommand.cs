using System.CommandLine;
using System.Globalization;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Synthesis;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr synthesize</c>: texts to a manifest of synthetic speech.</summary>
internal static class SynthesizeCommand
{
    private static readonly Option<string?> Texts = new("--texts") { Description = "a text file, an utterance a line", HelpName = "FILE" };
    private static readonly Option<int?> Generate = new("--generate") { Description = "makes N English texts of word lists and templates, besides --texts", HelpName = "N" };
    private static readonly Option<string> KindsOption = new("--kinds") { Description = "what --generate makes: " + string.Join(", ", TextGenerator.Kinds), HelpName = "LIST", DefaultValueFactory = _ => string.Join(',', TextGenerator.Kinds) };
    private static readonly Option<string?> Output = new("--output-dir") { Description = "the clips, and manifest.jsonl at the end; a run that was stopped goes on there", HelpName = "DIR" };
    private static readonly Option<string> Voices = new("--voices") { Description = "with commas: voices (flite:slt, en-gb+f3), patterns (espeak-ng:en-us+*), synthesisers, or all", HelpName = "LIST", DefaultValueFactory = _ => "all" };
    private static readonly Option<string?> Exclude = new("--exclude-voices") { Description = "voices to leave out, in the same form: for holding some out", HelpName = "LIST" };
    private static readonly Option<int> Invent = new("--invent-voices") { Description = "makes up N English speakers for espeak-ng by the seed: accents, vocal tracts, ways to speak; 'invented' among the voices", HelpName = "N" };
    private static readonly Option<string> Language = new("--language") { Description = "the language of 'all' and of whole synthesisers", HelpName = "XX", DefaultValueFactory = _ => "en" };
    private static readonly Option<string> Rates = new("--rates") { Description = "speeds, a list (0.9,1,1.1) or a range (0.9..1.1); 1 is the voice's own", HelpName = "X", DefaultValueFactory = _ => "1" };
    private static readonly Option<string> Pitches = new("--pitches") { Description = "pitches, as --rates", HelpName = "X", DefaultValueFactory = _ => "1" };
    private static readonly Option<int> CountPerText = new("--count-per-text") { Description = "clips of each text, each with a voice drawn anew", HelpName = "N", DefaultValueFactory = _ => 1 };
    private static readonly Option<string?> Join = new("--join") { Description = "utterances that one voice says one after the other in a clip, a list (1,2,3) or a range (1..3); default: one", HelpName = "N" };
    private static readonly Option<string> Gaps = new("--gaps") { Description = "silence between them in seconds, a list or a range", HelpName = "S", DefaultValueFactory = _ => "0.2..1.5" };
    private static readonly Option<double> JoinSeconds = new("--join-seconds") { Description = "a joined clip ends with the last utterance that fits in so many seconds: what the model hears at once", HelpName = "S", DefaultValueFactory = _ => SynthesisOptions.DefaultJoinSeconds };
    private static readonly Option<string?> SignalToNoise = new("--snr") { Description = "signal-to-noise ratios in dB, a list or a range; default: no noise", HelpName = "DB" };
    private static readonly Option<string> Noises = new("--noise") { Description = "kinds of noise: white, pink, babble", HelpName = "LIST", DefaultValueFactory = _ => "white,pink,babble" };
    private static readonly Option<string?> Reverb = new("--reverb") { Description = "reverberation times (RT60) in seconds, a list or a range; default: none", HelpName = "S" };
    private static readonly Option<double> Clean = new("--clean-share") { Description = "share of clips without noise and reverberation, 0 to 1", HelpName = "P" };
    private static readonly Option<double> Telephone = new("--telephone-share") { Description = "share of clips in a telephone's band, 0 to 1", HelpName = "P" };
    private static readonly Option<string> Levels = new("--levels") { Description = "peaks in dB below full scale, a list or a range", HelpName = "DB", DefaultValueFactory = _ => "-14..-1" };
    private static readonly Option<string> Padding = new("--padding") { Description = "silence before and after the speech in seconds, a list or a range", HelpName = "S", DefaultValueFactory = _ => "0..0.3" };
    private static readonly Option<double> Silence = new("--silence-share") { Description = "silent clips with an empty text, as a share of the others", HelpName = "P" };
    private static readonly Option<int> Seed = new("--seed") { Description = "the same seed makes the same files", HelpName = "N" };
    private static readonly Option<int> Jobs = new("--jobs") { Description = "clips made at the same time; 0: one a processor", HelpName = "N" };
    private static readonly Option<bool> WordTimesOption = new("--word-times") { Description = "the manifest says when each word is said" };
    private static readonly Option<bool> ListVoices = new("--list-voices") { Description = "prints the installed voices and ends" };
    private static readonly Option<bool> Quiet = new("--quiet") { Description = "no progress on stderr" };

    private const int MaxInvented = 100_000;

    public static Command Create()
    {
        var command = new Command("synthesize", "Makes speech of texts with espeak-ng, flite and festival: clips and a manifest to train or to evaluate on.");
        foreach (var option in new Option[]
        {
            Texts, Generate, KindsOption, Output, Voices, Exclude, Invent, Language, Rates, Pitches, CountPerText, Join, Gaps, JoinSeconds, SignalToNoise, Noises, Reverb, Clean, Telephone, Levels, Padding, Silence, Seed, Jobs, WordTimesOption, ListVoices, Quiet,
        })
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, cancellationToken) => Task.Run(() => Run(parsed, cancellationToken), CancellationToken.None));
        return command;
    }

    private static int Run(ParseResult parsed, CancellationToken cancellationToken)
    {
        var synthesizers = SpeechSynthesizers.FindAll();
        if (parsed.GetValue(Invent) is var count && count != 0)
        {
            synthesizers = [.. synthesizers, EspeakSynthesizer.Invent(count is > 0 and <= MaxInvented ? count : throw new AsrException($"--invent-voices: give 1 to {MaxInvented}"), parsed.GetValue(Seed))];
        }

        try
        {
            return Run(parsed, synthesizers, cancellationToken);
        }
        finally
        {
            foreach (var synthesizer in synthesizers.OfType<IDisposable>())
            {
                synthesizer.Dispose();
            }
        }
    }

    private static int Run(ParseResult parsed, IReadOnlyList<ISpeechSynthesizer> synthesizers, CancellationToken cancellationToken)
    {
        if (parsed.GetValue(ListVoices))
        {
            foreach (var voice in synthesizers.SelectMany(synthesizer => synthesizer.Voices))
            {
                Console.WriteLine($"{voice.FullName}\t{voice.Language}");
            }

            return 0;
        }

        var folder = parsed.GetValue(Output) ?? throw new AsrException("say where the clips go: --output-dir DIR");
        var options = ReadOptions(parsed, synthesizers);
        var clips = SynthesisPlan.Make(options);
        var jobs = parsed.GetValue(Jobs) is var given and >= 0 ? given : throw new AsrException("--jobs: give 0 or more");
        var run = new SynthesisRun(synthesizers, folder, jobs == 0 ? Environment.ProcessorCount : jobs);
        var result = ProgressBar.Run(
            "synthesize",
            parsed.GetValue(Quiet),
            report => run.Run(clips, (done, total) => report(done / (double)total, $"{done}/{total}"), cancellationToken));
        if (result.Failed.Count > 0)
        {
            Console.Error.WriteLine($"asr: warning: {result.Failed.Count} clips could not be made, such as: {result.Failed.Reason}");
        }

        if (!parsed.GetValue(Quiet))
        {
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{result.Clips} clips, {result.Seconds / 3600:0.00} h"));
        }

        Console.WriteLine(result.ManifestPath);
        return 0;
    }

    private static SynthesisOptions ReadOptions(ParseResult parsed, IReadOnlyList<ISpeechSynthesizer> synthesizers)
    {
        var seed = parsed.GetValue(Seed);
        var texts = new List<string>();
        if (parsed.GetValue(Texts) is { } path)
        {
            texts.AddRange(ManifestText.Read(path).Split('\n').Select(TextCleanup.Clean).Where(text => text.Length > 0));
        }

        if (parsed.GetValue(Generate) is { } count)
        {
            texts.AddRange(new TextGenerator(seed).Make(
                count > 0 ? count : throw new AsrException("--generate: give 1 or more"), Names(parsed.GetValue(KindsOption)!)));
        }

        if (texts.Count == 0)
        {
            throw new AsrException("no texts: give --texts FILE or --generate N");
        }

        var language = parsed.GetValue(Language)!;
        var voices = SpeechSynthesizers.Choose(synthesizers, parsed.GetValue(Voices)!, language);
        if (parsed.GetValue(Exclude) is { } exclude)
        {
            voices = [.. voices.Except(SpeechSynthesizers.Choose(synthesizers, exclude, language))];
        }

        return new SynthesisOptions
        {
            Texts = texts,
            Voices = voices.Count > 0 ? voices : throw new AsrException("--exclude-voices leaves no voice"),
            CountPerText = parsed.GetValue(CountPerText) is var copies and > 0 ? copies : throw new AsrException("--count-per-text: give 1 or more"),
            Rates = Spread.Parse(parsed.GetValue(Rates)!, "--rates", 0.4, 2.5),
            Pitches = Spread.Parse(parsed.GetValue(Pitches)!, "--pitches", 0.4, 2),
            Join = parsed.GetValue(Join) is { } join ? Spread.Parse(join, "--join", 1, 100) : null,
            Gaps = Spread.Parse(parsed.GetValue(Gaps)!, "--gaps", 0, 30),
            JoinSeconds = parsed.GetValue(JoinSeconds) is var seconds and >= 1 and <= 3600 ? seconds : throw new AsrException("--join-seconds: give 1 to 3600"),
            SignalToNoise = parsed.GetValue(SignalToNoise) is { } ratio ? Spread.Parse(ratio, "--snr", -20, 100) : null,
            Noises = ReadNoises(parsed.GetValue(Noises)!),
            Reverberation = parsed.GetValue(Reverb) is { } reverb ? Spread.Parse(reverb, "--reverb", 0.05, 3) : null,
            CleanShare = Share(parsed, Clean, 1),
            TelephoneShare = Share(parsed, Telephone, 1),
            Levels = Spread.Parse(parsed.GetValue(Levels)!, "--levels", -60, 0),
            Padding = Spread.Parse(parsed.GetValue(Padding)!, "--padding", 0, 30),
            SilenceShare = Share(parsed, Silence, 10),
            Seed = seed,
            WordTimes = parsed.GetValue(WordTimesOption),
        };
    }

    private static NoiseKind[] ReadNoises(string list)
    {
        NoiseKind[] kinds = [.. Names(list).Select(name => Enum.TryParse<NoiseKind>(name, ignoreCase: true, out var kind) && !char.IsAsciiDigit(name[0])
            ? kind
            : throw new AsrException($"--noise: '{name}' is none; give some of white, pink, babble"))];
        return kinds.Length > 0 ? kinds : throw new AsrException("--noise: give some of white, pink, babble");
    }

    private static double Share(ParseResult parsed, Option<double> option, double max) =>
        parsed.GetValue(option) is var share && share >= 0 && share <= max ? share : throw new AsrException(FormattableString.Invariant($"{option.Name}: give 0 to {max}"));

    private static string[] Names(string list) => list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
