namespace AsrPlatform.Host.Settings;

/// <summary>Registers services that start and stop with the host and that others use as what they are.</summary>
internal static class HostedServices
{
    /// <summary>Adds one of a kind. The container disposes what each of its registrations gives; what it gives for the host holds nothing.</summary>
    public static IServiceCollection AddHosted<T>(this IServiceCollection services)
        where T : class, IHostedService =>
        services.AddSingleton<T>().AddSingleton<IHostedService>(provider => new Hosted(provider.GetRequiredService<T>()));

    private sealed class Hosted(IHostedService service) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => service.StartAsync(cancellationToken);

        public Task StopAsync(CancellationToken cancellationToken) => service.StopAsync(cancellationToken);
    }
}
