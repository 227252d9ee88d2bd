using AsrPlatform.Host.Settings;

namespace AsrPlatform.Host.Learning.Memory;

/// <summary>Registers the memory for words.</summary>
internal static class MemoryServices
{
    /// <summary>Adds what live sessions learn at once.</summary>
    public static IServiceCollection AddMemory(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSettings<MemoryOptions>(configuration, MemoryOptions.Section);
        services.AddSingleton<VocabularyStore>();
        return services;
    }
}
