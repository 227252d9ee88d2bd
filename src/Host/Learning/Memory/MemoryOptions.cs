using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Learning.Memory;

/// <summary>How words of corrections help before anything is trained on them.</summary>
internal sealed class MemoryOptions : IValidateOptions<MemoryOptions>
{
    public const string Section = "Memory";

    /// <summary>Whether words of corrections are remembered at all. Words that a user gives (hotwords) do not depend on it. Default true.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Words and names that a session prefers at most, the user's own included. Default 100, 1 … 1,000.</summary>
    public int MaximumPhrases { get; set; } = 100;

    /// <summary>Time after which a word that is neither corrected nor heard again counts half. Default 7 days, 1 min … 10 years.</summary>
    public TimeSpan HalfLife { get; set; } = TimeSpan.FromDays(7);

    /// <summary>Time after which such a word is forgotten. Default 60 days, 1 min … 10 years.</summary>
    public TimeSpan MaximumAge { get; set; } = TimeSpan.FromDays(60);

    /// <summary>How much they are preferred; 1 is as measured in docs/learning-memory.md. Default 1, above 0 … 10.</summary>
    public double Weight { get; set; } = 1;

    public ValidateOptionsResult Validate(string? name, MemoryOptions options)
    {
        const double LongestDays = 3653;
        List<string> errors = [];
        if (options.MaximumPhrases is < 1 or > 1000)
        {
            errors.Add($"{Section}:{nameof(MaximumPhrases)} is {options.MaximumPhrases}; it must be 1 … 1000.");
        }

        foreach (var (option, value) in (ReadOnlySpan<(string, TimeSpan)>)[(nameof(HalfLife), options.HalfLife), (nameof(MaximumAge), options.MaximumAge)])
        {
            if (value < TimeSpan.FromMinutes(1) || value > TimeSpan.FromDays(LongestDays))
            {
                errors.Add($"{Section}:{option} is {value}; it must be 1 min … {LongestDays} days.");
            }
        }

        if (!(options.Weight is > 0 and <= 10))
        {
            errors.Add(FormattableString.Invariant($"{Section}:{nameof(Weight)} is {options.Weight}; it must be above 0 and at most 10."));
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
