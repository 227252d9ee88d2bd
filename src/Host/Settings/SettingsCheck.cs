using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Settings;

/// <summary>Checks every setting before a host is put together, and says all that is wrong at once.</summary>
internal static class SettingsCheck
{
    /// <summary>Requires every section that was registered to be right.</summary>
    /// <param name="services">What <see cref="SettingsServices.AddSettings{T}"/> registered sections with.</param>
    /// <param name="configuration">The settings.</param>
    /// <exception cref="OptionsValidationException">Something is wrong; the message lists it.</exception>
    public static void Require(IServiceCollection services, IConfiguration configuration)
    {
        string[] failures = [.. SettingsSection.All(services).SelectMany(section => section.Errors(configuration)).Distinct()];
        if (failures.Length > 0)
        {
            throw new OptionsValidationException("settings", typeof(SettingsSection), failures);
        }
    }
}
