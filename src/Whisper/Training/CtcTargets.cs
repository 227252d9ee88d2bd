using System.Text;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Training;

namespace AsrPlatform.Whisper.Training;

/// <summary>What the auxiliary CTC loss on the encoder predicts: class 0 is the blank. Immutable and safe for concurrent calls.</summary>
public sealed class CtcTargets
{
    /// <summary>The file of a checkpoint folder that keeps the characters and their classes.</summary>
    public const string FileName = "ctc_characters.json";

    private readonly Dictionary<Rune, int>? _characters;
    private readonly int _textTokens;

    private CtcTargets(Dictionary<Rune, int>? characters, int textTokens)
    {
        _characters = characters;
        _textTokens = textTokens;
        Classes = 1 + (characters?.Count ?? textTokens);
    }

    /// <summary>Number of classes, the blank included.</summary>
    public int Classes { get; }

    /// <summary>What a run predicts.</summary>
    /// <param name="arguments">Say the units.</param>
    /// <param name="train">The characters are those of its texts, in lower case.</param>
    /// <param name="endOfText">The first special token: the tokens before it are text.</param>
    /// <exception cref="AsrException">The texts have no characters.</exception>
    public static CtcTargets Of(TrainingArguments arguments, ITrainingDataset train, int endOfText)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        ArgumentNullException.ThrowIfNull(train);
        if (arguments.CtcUnits == CtcUnits.Tokens)
        {
            return new CtcTargets(null, endOfText);
        }

        var characters = Enumerable.Range(0, train.Count)
            .SelectMany(index => Spell(train.Describe(index).Text))
            .Distinct()
            .Order()
            .Select((character, index) => (character, index))
            .ToDictionary(pair => pair.character, pair => pair.index + 1);
        return characters.Count > 0 ? new CtcTargets(characters, 0) : throw new AsrException("The CTC loss has nothing to predict: every training text is empty.");
    }

    /// <summary>The classes of an example, without blanks; characters that the training texts lack are left out.</summary>
    public int[] Encode(TrainingSample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        return _characters is null
            ? [.. sample.Labels.Where(label => label >= 0 && label < _textTokens).Select(label => label + 1)]
            : [.. Spell(sample.Text).Select(character => _characters.GetValueOrDefault(character)).Where(index => index > 0)];
    }

    /// <summary>The text of <see cref="FileName"/>: the characters by class, from class 1; null for tokens, which need no file.</summary>
    public string? ToJson() => _characters is null
        ? null
        : JsonSerializer.Serialize(_characters.OrderBy(pair => pair.Value).Select(pair => pair.Key.ToString()));

    /// <summary>Reads what <see cref="ToJson"/> wrote, so that a resumed run keeps its classes.</summary>
    /// <exception cref="AsrException">It is damaged.</exception>
    public static CtcTargets FromJson(string json)
    {
        try
        {
            var characters = JsonSerializer.Deserialize<string[]>(json) ?? [];
            return new CtcTargets(characters.Select((text, index) => (text.EnumerateRunes().Single(), index)).ToDictionary(pair => pair.Item1, pair => pair.index + 1), 0);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or ArgumentException)
        {
            throw new AsrException($"{FileName} is damaged: {error.Message}", error);
        }
    }

    /// <summary>The text's characters: lower case, every white space one space.</summary>
    private static Rune[] Spell(string text) =>
        [.. string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).ToLowerInvariant().EnumerateRunes()];
}
