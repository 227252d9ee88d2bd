using System.Collections;
using System.ComponentModel;
using System.Globalization;
using System.Reflection;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Settings;

/// <summary>A section of the configuration and the options that it fills; see <see cref="SettingsServices.AddSettings{T}"/>.</summary>
/// <param name="Name">The section, such as <c>Live</c>.</param>
/// <param name="Options">Type of the options: each public property is a setting.</param>
/// <param name="CheckRanges">Gives what is wrong with the values of a section that can all be read.</param>
internal sealed record SettingsSection(string Name, Type Options, Func<IConfiguration, IEnumerable<string>> CheckRanges)
{
    /// <summary>The sections that were registered.</summary>
    public static IEnumerable<SettingsSection> All(IServiceCollection services) => services.Select(service => service.ImplementationInstance).OfType<SettingsSection>();

    /// <summary>Its settings.</summary>
    public IEnumerable<PropertyInfo> Properties => Options.GetProperties(BindingFlags.Public | BindingFlags.Instance);

    /// <summary>Everything that is wrong with the section: names that are none, values that cannot be read, values out of range.</summary>
    public IEnumerable<string> Errors(IConfiguration configuration)
    {
        var section = configuration.GetSection(Name);
        var unreadable = Unreadable(section).ToArray();
        var readable = new ConfigurationBuilder()
            .AddInMemoryCollection(section.AsEnumerable(makePathsRelative: true).Where(setting => !unreadable.Any(entry => setting.Key.Split(':')[0].Equals(entry.Key, StringComparison.OrdinalIgnoreCase))))
            .Build();
        return [.. unreadable.Select(entry => entry.Error), .. CheckRanges(readable)];
    }

    /// <summary>Requires every name and value to be one that can be read, so that binding cannot fail.</summary>
    /// <exception cref="OptionsValidationException">Something cannot; the message lists all of it.</exception>
    public void RequireReadable(IConfiguration configuration)
    {
        string[] errors = [.. Unreadable(configuration.GetSection(Name)).Select(entry => entry.Error)];
        if (errors.Length > 0)
        {
            throw new OptionsValidationException(Name, Options, errors);
        }
    }

    /// <summary>Each setting with its value and whether it was given.</summary>
    public IEnumerable<(string Name, string Value, bool IsGiven)> Values(IConfiguration configuration)
    {
        var section = configuration.GetSection(Name);
        var values = section.Get(Options) ?? Activator.CreateInstance(Options)!;
        return Properties.Select(property => ($"{Name}:{property.Name}", Show(property.GetValue(values)), section.GetSection(property.Name).Exists()));
    }

    private IEnumerable<(string Key, string Error)> Unreadable(IConfigurationSection section) =>
        from entry in section.GetChildren()
        let error = WhatIsWrong(entry)
        where error is not null
        select (entry.Key, error);

    /// <summary>What is wrong with an entry: its name or the form of its value.</summary>
    private string? WhatIsWrong(IConfigurationSection entry)
    {
        var property = Properties.FirstOrDefault(one => one.Name.Equals(entry.Key, StringComparison.OrdinalIgnoreCase));
        if (property is null)
        {
            return $"{Name}:{entry.Key} is no setting; there are {string.Join(", ", Properties.Select(one => one.Name))}.";
        }

        var isReadable = IsList(property.PropertyType) ? string.IsNullOrEmpty(entry.Value) : CanRead(property.PropertyType, entry.Value);
        return isReadable ? null : $"{Name}:{property.Name} is '{entry.Value}'; give {Kind(property.PropertyType)}.";
    }

    private static bool CanRead(Type type, string? text)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(string) || text is null)
        {
            return true;
        }

        try
        {
            TypeDescriptor.GetConverter(type).ConvertFromInvariantString(text);
            return true;
        }
        catch (Exception error) when (error is FormatException or ArgumentException or NotSupportedException or OverflowException)
        {
            return false;
        }
    }

    private static bool IsList(Type type) => type != typeof(string) && type.IsAssignableTo(typeof(IEnumerable));

    private static string Kind(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return IsList(type) ? "a list, one value an entry (0, 1, …)"
            : type == typeof(TimeSpan) ? "a time such as 00:00:30 or 1.00:00:00"
            : type == typeof(bool) ? "true or false"
            : type.IsEnum ? $"one of {string.Join(", ", Enum.GetNames(type))}"
            : type == typeof(int) || type == typeof(long) ? "a whole number"
            : type == typeof(double) || type == typeof(float) ? "a number"
            : $"a {type.Name}";
    }

    private static string Show(object? value) => value switch
    {
        null => "",
        string text => text,
        IEnumerable list => string.Join(", ", list.Cast<object?>().Select(Show)),
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };
}

/// <summary>Registers settings.</summary>
internal static class SettingsServices
{
    /// <summary>
    /// Fills <typeparamref name="T"/> from a section; <see cref="SettingsCheck"/> checks it. Ranges are checked by <typeparamref name="T"/>
    /// itself when it is an <see cref="IValidateOptions{T}"/>.
    /// </summary>
    public static IServiceCollection AddSettings<T>(this IServiceCollection services, IConfiguration configuration, string section)
        where T : class, new()
    {
        var settings = new SettingsSection(section, typeof(T), CheckRanges<T>);
        services.AddOptions<T>()
            .Configure(options =>
            {
                settings.RequireReadable(configuration);
                configuration.GetSection(section).Bind(options);
            })
            .ValidateOnStart();
        if (new T() is IValidateOptions<T> validation)
        {
            services.AddSingleton(validation);
        }

        services.AddSingleton(settings);
        return services;
    }

    private static IEnumerable<string> CheckRanges<T>(IConfiguration section)
        where T : class, new()
    {
        var options = section.Get<T>() ?? new T();
        return options is IValidateOptions<T> validation && validation.Validate(Options.DefaultName, options) is { Failed: true } result ? result.Failures : [];
    }
}
