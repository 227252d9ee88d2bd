using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Settings;

/// <summary>Checks every setting when a host starts, and says all that is wrong at once.</summary>
internal sealed class SettingsCheck(IServiceProvider services, IConfiguration configuration, IEnumerable<SettingsSection> sections) : IStartupValidator
{
    /// <exception cref="OptionsValidationException">Something is wrong; the message lists it.</exception>
    public void Validate()
    {
        List<string> failures = [.. sections.SelectMany(section => section.Errors(services, configuration))];
        if (failures.Count == 0)
        {
            // Options that others registered without a section of settings.
            foreach (var validator in services.GetServices<IStartupValidator>().Where(validator => validator is not SettingsCheck))
            {
                Collect(validator, failures);
            }
        }

        if (failures.Count > 0)
        {
            throw new OptionsValidationException("settings", typeof(SettingsCheck), failures.Distinct());
        }
    }

    private static void Collect(IStartupValidator validator, List<string> failures)
    {
        try
        {
            validator.Validate();
        }
        catch (OptionsValidationException error)
        {
            failures.AddRange(error.Failures);
        }
        catch (AggregateException errors) when (errors.InnerExceptions.All(error => error is OptionsValidationException))
        {
            failures.AddRange(errors.InnerExceptions.SelectMany(error => ((OptionsValidationException)error).Failures));
        }
    }
}
