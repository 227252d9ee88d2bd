using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Learning.Corrections;

/// <summary>Which corrections are taken. Bound from the section <c>Corrections</c>; read once at start.</summary>
internal sealed class CorrectionOptions : IValidateOptions<CorrectionOptions>
{
    public const string Section = "Corrections";

    /// <summary>Corrections of one author in a minute, and of one key (without keys: one address). Default 60, 1 … 100,000.</summary>
    public int PerAuthorPerMinute { get; set; } = 60;

    public ValidateOptionsResult Validate(string? name, CorrectionOptions options) => options.PerAuthorPerMinute is >= 1 and <= 100_000
        ? ValidateOptionsResult.Success
        : ValidateOptionsResult.Fail($"{Section}:{nameof(PerAuthorPerMinute)} is {options.PerAuthorPerMinute}; it must be 1 … 100000.");
}
