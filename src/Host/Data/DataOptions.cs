using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Data;

/// <summary>How long sessions are kept. Bound from the section <c>Data</c>; read once at start.</summary>
internal sealed class DataOptions : IValidateOptions<DataOptions>
{
    public const string Section = "Data";

    /// <summary>Configuration key of the data folder's path; without it what is kept lies in a temporary folder and goes with the process.</summary>
    public const string DirectoryKey = "DataDirectory";

    /// <summary>Sessions that ended longer ago are deleted for good. Null (default): never. 1 min … 100 years.</summary>
    public TimeSpan? MaximumAge { get; set; }

    /// <summary>While audio and database take more bytes than this, the oldest ended session is deleted for good. Null (default): never. From 1 MiB.</summary>
    public long? MaximumBytes { get; set; }

    public ValidateOptionsResult Validate(string? name, DataOptions options)
    {
        if (options.MaximumAge is { } age && (age < TimeSpan.FromMinutes(1) || age > TimeSpan.FromDays(36_525)))
        {
            return ValidateOptionsResult.Fail($"{Section}:{nameof(MaximumAge)} is {age}; it must be 1 minute … 100 years, or left out to keep everything.");
        }

        return options.MaximumBytes is < 1 << 20
            ? ValidateOptionsResult.Fail($"{Section}:{nameof(MaximumBytes)} is {options.MaximumBytes}; it must be at least {1 << 20}, or left out to keep everything.")
            : ValidateOptionsResult.Success;
    }
}
