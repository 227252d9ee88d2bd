using System.Globalization;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Data;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>espeak-ng: speech by its program, whose result depends on nothing but its arguments; word times by its library.</summary>
/// <remarks>
/// Voices are named by their files (<c>gmw/en-US+f3</c>): by language (<c>en-gb+f3</c>) the program falls back to another voice and leaves
/// the variant out, without a word.
/// </remarks>
internal sealed class EspeakSynthesizer : ISpeechSynthesizer, IDisposable
{
    private const string Program = "espeak-ng";

    /// <summary>Its own rate.</summary>
    private const int WordsPerMinute = 175;

    /// <summary>Its own pitch on its scale of 0 to 99.</summary>
    private const int NormalPitch = 50;

    /// <summary>What the voices that are made up are called together, and each with its number: <c>invented:17</c>.</summary>
    public const string InventedName = "invented";

    /// <summary>A folder with the program's data and made-up voices; null: its own data.</summary>
    private readonly string? _data;

    private EspeakSynthesizer(string name, IReadOnlyList<SpeechVoice> voices, string? data)
    {
        Name = name;
        Voices = voices;
        _data = data;
    }

    /// <inheritdoc />
    public string Name { get; }

    /// <inheritdoc />
    public IReadOnlyList<SpeechVoice> Voices { get; }

    /// <summary>The program with its voices, or null where it is not installed.</summary>
    public static EspeakSynthesizer? TryFind()
    {
        if (SynthesizerProcess.TryRun(Program, "--voices") is not { } list || SynthesizerProcess.TryRun(Program, "--voices=variant") is not { } variants)
        {
            return null;
        }

        // Columns: priority, language, age/gender, name, file, …; MBROLA's voices need data that Debian does not have.
        var files = Rows(variants).Select(row => row[4]["!v/".Length..]).Order(StringComparer.Ordinal).ToArray();
        SpeechVoice[] voices =
        [
            .. from row in Rows(list)
               where !row[4].StartsWith("mb/", StringComparison.Ordinal)
               from variant in files.Prepend("")
               let suffix = variant.Length == 0 ? "" : "+" + variant
               select new SpeechVoice(Program, row[1] + suffix, row[4] + suffix, row[1].Split('-')[0]),
        ];
        return new EspeakSynthesizer(Program, voices, null);
    }

    /// <summary>The program with English voices that are made up (<see cref="InventedVoice"/>). Once a process, before any voice speaks.</summary>
    /// <param name="count">How many.</param>
    /// <param name="seed">The same seed makes up the same voices.</param>
    /// <exception cref="AsrException">espeak-ng is not installed.</exception>
    public static EspeakSynthesizer Invent(int count, int seed)
    {
        const string DataAt = "Data at: ";
        const string DataFolder = "espeak-ng-data";
        if (SynthesizerProcess.TryRun(Program, "--version") is not { } version || version.IndexOf(DataAt, StringComparison.Ordinal) is not (>= 0 and var at))
        {
            throw new AsrException("voices are made up for espeak-ng, which is not installed: apt-get install espeak-ng");
        }

        // A voice file is found in the program's data alone: a folder that shows all of it, and the new voices.
        var installed = version[(at + DataAt.Length)..].Trim();
        var root = Directory.CreateTempSubdirectory("asr-voices-").FullName;
        try
        {
            var languages = Path.Combine(root, DataFolder, "lang");
            Directory.CreateDirectory(languages);
            foreach (var entry in Directory.EnumerateFileSystemEntries(installed).Where(entry => Path.GetFileName(entry) != "lang"))
            {
                Directory.CreateSymbolicLink(Path.Combine(root, DataFolder, Path.GetFileName(entry)), entry);
            }

            foreach (var entry in Directory.EnumerateDirectories(Path.Combine(installed, "lang")))
            {
                Directory.CreateSymbolicLink(Path.Combine(languages, Path.GetFileName(entry)), entry);
            }

            Directory.CreateDirectory(Path.Combine(languages, InventedName));
            var accents = new Dictionary<string, string>(StringComparer.Ordinal);
            var voices = new SpeechVoice[count];
            for (var index = 0; index < count; index++)
            {
                var (accent, definition) = InventedVoice.Make((int)PlannedClip.Hash($"{seed}|{index}"));
                if (!accents.TryGetValue(accent, out var lines))
                {
                    accents[accent] = lines = string.Join('\n', File.ReadLines(Path.Combine(installed, "lang", accent)).Where(line => !line.StartsWith("name", StringComparison.Ordinal) && !line.StartsWith("language", StringComparison.Ordinal)));
                }

                var text = $"name {InventedName}-{index}\nlanguage en\n{lines}\n{definition}";

                // The name of the file stands for what is in it: another definition is another voice.
                var id = string.Create(CultureInfo.InvariantCulture, $"{InventedName}/{PlannedClip.Hash($"{text}"):x8}");
                File.WriteAllText(Path.Combine(languages, id), text);
                voices[index] = new SpeechVoice(InventedName, index.ToString(CultureInfo.InvariantCulture), id, "en");
            }

            EspeakLibrary.UseData(root);
            return new EspeakSynthesizer(InventedName, voices, root);
        }
        catch
        {
            Directory.Delete(root, recursive: true);
            throw;
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (_data is not null && Directory.Exists(_data))
        {
            Directory.Delete(_data, recursive: true);
        }
    }

    /// <inheritdoc />
    public SpokenUtterance Speak(SpeechRequest request, string temporaryFolder, CancellationToken cancellationToken)
    {
        var rate = Math.Clamp((int)Math.Round(WordsPerMinute * request.Rate), 80, 450);
        var pitch = Math.Clamp((int)Math.Round(NormalPitch * request.Pitch), 0, 99);
        var samples = SynthesizerProcess.ReadSpeech(temporaryFolder, Program, path => SynthesizerProcess.Run(
            Program,
            [.. _data is null ? (string[])[] : ["--path", _data], "-v", request.Voice.Id, "-s", rate.ToString(CultureInfo.InvariantCulture), "-p", pitch.ToString(CultureInfo.InvariantCulture), "-b", "1", "-w", path, "--stdin"],
            request.Text,
            cancellationToken));
        IReadOnlyList<TimedWord> words = request.WordTimes && EspeakLibrary.Instance is { } library
            ? WordTimes.Trim(library.FindWords(request.Text, request.Voice.Id, rate, pitch), samples)
            : [];
        return new SpokenUtterance(samples, words);
    }

    private static IEnumerable<string[]> Rows(string table) =>
        table.Split('\n').Skip(1).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(row => row.Length >= 5);
}
